using Microsoft.Extensions.Hosting;
using Sojourn.Dashboard.Pages;
using Sojourn.Storage;
using Sojourn.Storage.Encryption;

namespace Sojourn.Dashboard.Health;

/// <summary>Advice on the configuration that is in force.</summary>
internal static class ConfigurationChecks
{
    public const int SecretLength = 32;

    /// <param name="options">What is in force.</param>
    /// <param name="store">Where sessions are kept.</param>
    /// <param name="environment">Development is let off what only matters where visitors come.</param>
    /// <param name="isHttps">Whether the operator's own request came over https, as the application sees it.</param>
    /// <param name="isAudited">Whether the application hears of events.</param>
    public static IReadOnlyList<Finding> Run(SojournOptions options, ISessionStore store, IHostEnvironment environment, bool isHttps, bool isAudited) =>
    [
        Cookie(options.Cookie, environment.IsDevelopment()),
        Scripts(options.Cookie),
        OtherSites(options.Cookie),
        Https(isHttps, environment.IsDevelopment()),
        Secrets(options),
        SecretLengths(options),
        Deadlines(options),
        Survives(store, environment.IsDevelopment()),
        Index(store),
        Sealed(store),
        Audit(isAudited),
        Limit(options),
    ];

    private static Finding Cookie(SessionCookieOptions cookie, bool isDevelopment)
    {
        const string Title = "The cookie travels over https alone";
        if (cookie.Secure != CookieSecure.Always)
        {
            return isDevelopment
                ? new(FindingLevel.Note, Title, $"In Development Cookie.Secure is {cookie.Secure}. Elsewhere it is Always, unless it was set.")
                : new(
                    FindingLevel.Problem, Title, $"Cookie.Secure is {cookie.Secure}: whoever listens to plain http takes sessions over.",
                    "Set Cookie.Secure to Always, or leave it.");
        }

        return cookie.Name!.StartsWith("__Host-", StringComparison.Ordinal) || cookie.Name.StartsWith("__Secure-", StringComparison.Ordinal)
            ? new(FindingLevel.Good, Title, $"Secure, and browsers hold it to that by its name, {cookie.Name}.")
            : new(
                FindingLevel.Advice, Title, $"Secure, but its name, {cookie.Name}, does not make browsers insist on it.",
                "Leave Cookie.Name, or begin it with __Host-.");
    }

    private static Finding Scripts(SessionCookieOptions cookie) => cookie.HttpOnly
        ? new(FindingLevel.Good, "Scripts do not see the cookie", "HttpOnly.")
        : new(
            FindingLevel.Problem, "Scripts do not see the cookie", "Cookie.HttpOnly is false: a script that is smuggled into a page takes the session along.",
            "Set Cookie.HttpOnly to true, or leave it.");

    private static Finding OtherSites(SessionCookieOptions cookie) => cookie.SameSite is SessionSameSite.Lax or SessionSameSite.Strict
        ? new(FindingLevel.Good, "Other sites' requests go without the cookie", $"SameSite is {cookie.SameSite}.")
        : new(
            FindingLevel.Advice, "Other sites' requests go without the cookie", $"SameSite is {cookie.SameSite}: they carry it.",
            "Set Cookie.SameSite to Lax; if the application must be used within other sites, keep antiforgery on every form and set Cookie.Partitioned.");

    private static Finding Https(bool isHttps, bool isDevelopment) => isHttps
        ? new(FindingLevel.Good, "This page came over https", "So the application sees.")
        : isDevelopment
            ? new(FindingLevel.Note, "This page came over https", "It came over plain http, which will do on a machine of your own.")
            : new(FindingLevel.Problem, "This page came over https", "It came over plain http, as the application sees it.",
                "Serve https and call UseHsts and UseHttpsRedirection; behind a proxy that ends TLS call UseForwardedHeaders for its address.");

    private static Finding Secrets(SojournOptions options)
    {
        const string Title = "Secrets are rotated";
        var count = options.SecretKeys?.Count ?? options.Secrets.Count;
        return count > 1
            ? new(
                FindingLevel.Good, Title, $"{count} secrets: the first signs, all verify.",
                "Remove the old one once its tokens have gone: after AbsoluteTimeout, or the cookie's lifetime.")
            : new(
                FindingLevel.Advice, Title, "There is one secret, so nobody has rotated it lately.",
                "Now and then put a new one in front (Secrets:0), move the old one to Secrets:1, and remove that when its tokens have gone. Nobody is signed "
                + "out.");
    }

    private static Finding SecretLengths(SojournOptions options)
    {
        const string Title = "Secrets are hard to guess";
        var shortest = options.SecretKeys?.Min(static key => key.Length) ?? options.Secrets.Min(static secret => secret.Length);
        return shortest >= SecretLength
            ? new(FindingLevel.Good, Title, $"Each has {SecretLength} characters or more.")
            : new(
                FindingLevel.Problem, Title, $"The shortest has {shortest} characters: who has one token can try secrets at leisure.",
                "Put one of openssl rand -base64 32 in front.");
    }

    private static Finding Deadlines(SojournOptions options)
    {
        const string Title = "Sessions end";
        return options.AbsoluteTimeout is null
            ? new(
                FindingLevel.Advice, Title, "A session that is used never ends: AbsoluteTimeout is null.",
                "Set AbsoluteTimeout: 24 hours, 12 for what matters most (NIST SP 800-63B).")
            : options.AbsoluteTimeout > TimeSpan.FromDays(30) || options.IdleTimeout > TimeSpan.FromDays(7)
                ? new(
                    FindingLevel.Advice, Title,
                    $"After {Words.Span(options.IdleTimeout)} without use, and after {Words.Span(options.AbsoluteTimeout.Value)} in any case. That is long.",
                    "Shorten IdleTimeout and AbsoluteTimeout, and let users who want it be remembered (RememberMe).")
                : new(
                    FindingLevel.Good, Title,
                    $"After {Words.Span(options.IdleTimeout)} without use, and after {Words.Span(options.AbsoluteTimeout.Value)} in any case.");
    }

    private static Finding Survives(ISessionStore store, bool isDevelopment) => store.As<MemorySessionStore>() is null
        ? new(FindingLevel.Good, "Sessions are kept outside the process", $"In {store.GetType().Name}.")
        : new(
            isDevelopment ? FindingLevel.Note : FindingLevel.Problem, "Sessions are kept outside the process",
            "They are kept in its memory: they end with it, and each of several instances has its own, so that visitors lose their session whenever they meet "
            + "another one.",
            "Choose a store: UseSqlite for one machine, UseRedis, UsePostgreSql, UseMySql or UseMongoDb for several. If there is one instance, and its "
            + "sessions may end with it, leave it.");

    private static Finding Index(ISessionStore store) =>
        store.As<ISessionIndex>() is null
            ? new(
                FindingLevel.Advice, "Sessions can be found and ended",
                "The store has no index: this page counts, lists and ends nothing, and users cannot sign their other devices out.",
                "Let the store implement ISessionIndex, or take one that does (docs/stores.md).")
            : store.As<INodeLayout>() is null
                ? new(FindingLevel.Good, "Sessions can be found and ended", "By subject and by handle.")
                : new(
                    FindingLevel.Advice, "Sessions can be found and ended",
                    "The layout of an npm store has no place for labels: sessions are counted and listed here, and cannot be found by subject or handle, or "
                    + "ended one by one.",
                    "Move to a native layout when no Node application is left: MigratingFrom.");

    private static Finding Sealed(ISessionStore store) => store.As<EncryptingStore>() is not null
        ? new(FindingLevel.Good, "What is stored is encrypted", "Documents are sealed; labels and expiries are in clear.")
        : new(
            FindingLevel.Note, "What is stored is encrypted", "It is not: who reads the database reads the entries, though nobody signs in with them.",
            "If entries hold what must not leak with a backup, add WithEncryption.");

    private static Finding Audit(bool isAudited) => isAudited
        ? new(FindingLevel.Good, "What happens to sessions is recorded", "The application hears of events.")
        : new(
            FindingLevel.Advice, "What happens to sessions is recorded", "Nobody but this page hears of events, and this page forgets them with the process.",
            "Add a handler that writes them where they stay: AddEventHandler or AddEventChannel.");

    private static Finding Limit(SojournOptions options) => new(FindingLevel.Note, "Sessions of one user", options.MaxSessionsPerSubject is { } limit
        ? $"At the most {limit}; past that, {options.WhenTooManySessions}."
        : "As many as they like. MaxSessionsPerSubject sets a limit.");
}
