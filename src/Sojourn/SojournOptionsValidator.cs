using Microsoft.Extensions.Options;

namespace Sojourn;

/// <summary>Checks the options when the application starts; every message says what to do.</summary>
internal sealed class SojournOptionsValidator : IValidateOptions<SojournOptions>
{
    private static readonly TimeSpan LongestCookie = TimeSpan.FromDays(400);

    /// <summary>A timer holds 49.7 days.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(49);

    public ValidateOptionsResult Validate(string? name, SojournOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                problems.AddError(problem);
            }
        }

        Require(options.ApplicationName is { Length: > 0 } && !options.ApplicationName.Contains('\0'), "ApplicationName must be set, and hold no NUL.");
        Require(IsIdleTimeout(options.IdleTimeout), "IdleTimeout must be 1 second to 400 days.");
        Require(IsDeadline(options.AbsoluteTimeout), "AbsoluteTimeout must be null, for no such deadline, or 1 second to 36,500 days.");
        Require(!(options.TouchInterval < TimeSpan.Zero), "TouchInterval must be null, or at least zero.");
        Require(options.RenewIdAfter is null || options.RenewIdAfter >= TimeSpan.FromMinutes(1), "RenewIdAfter must be null, or at least 1 minute.");
        Require(
            options.RenewalGrace >= TimeSpan.FromSeconds(1)
                && options.RenewalGrace <= TimeSpan.FromMinutes(5)
                && !(options.RenewalGrace >= options.RenewIdAfter),
            "RenewalGrace must be 1 second to 5 minutes, and less than RenewIdAfter.");
        Require(
            options.RenewIdAfter is null || !options.IsExpress,
            "RenewIdAfter is not for AddExpressSession, whose sessions Node applications share: they know nothing of ids that were renewed. Leave it null.");
        Require(
            options.RenewIdAfter is null || options.IsExpress || options.SecretBytes().Any(),
            "RenewIdAfter needs a secret: ids that follow on others are made with it. Set Secrets.");
        Require(
            !options.EndOnDeadId || options.RenewIdAfter is not null,
            "EndOnDeadId needs RenewIdAfter: without it ids do not renew themselves. Set both, or neither.");
        Require(IsIdleTimeout(options.RememberMe.IdleTimeout), "RememberMe.IdleTimeout must be 1 second to 400 days.");
        Require(IsDeadline(options.RememberMe.AbsoluteTimeout), "RememberMe.AbsoluteTimeout must be null, for no such deadline, or 1 second to 36,500 days.");
        Require(options.MaxSessionsPerSubject is null or (>= 1 and <= 1_000), "MaxSessionsPerSubject must be null, for any number, or 1 to 1,000.");
        Require(Enum.IsDefined(options.KeepDevice), "KeepDevice must be Nothing, Agent or AgentAndNetwork.");
        Require(Enum.IsDefined(options.WhenTooManySessions), "WhenTooManySessions must be EndLeastRecentlyUsed, EndOldest or Reject.");
        Require(options.MaxDocumentBytes is >= 1024 and <= 16 * 1024 * 1024, "MaxDocumentBytes must be 1,024 to 16,777,216.");
        Require(options.StoreTimeout > TimeSpan.Zero && options.StoreTimeout <= LongestWait, "StoreTimeout must be more than zero and at most 49 days.");
        Require(
            options.ExclusiveTimeout > TimeSpan.Zero && options.ExclusiveTimeout <= LongestWait,
            "ExclusiveTimeout must be more than zero and at most 49 days.");
        Require(
            options.EndedCheckInterval >= TimeSpan.FromMilliseconds(100) && options.EndedCheckInterval <= TimeSpan.FromHours(1),
            "EndedCheckInterval must be 100 milliseconds to 1 hour.");
        Require(options.PruneInterval > TimeSpan.Zero && options.PruneInterval <= LongestWait, "PruneInterval must be more than zero and at most 49 days.");
        Require(Enum.IsDefined(options.Load), "Load must be BeforeHandler or OnFirstUse.");
        Require(
            options.Load == SessionLoad.BeforeHandler || !(options.Resave || options.Rolling || options.SaveUninitialized || options.IsExpress),
            "Load OnFirstUse leaves a session alone that nobody looks at, which Resave, Rolling, SaveUninitialized and AddExpressSession do not. Set Load to "
            + "BeforeHandler, or these to false.");
        Require(Enum.IsDefined(options.Unset), "Unset must be Keep or Destroy.");

        var cookie = options.Cookie;
        Require(
            !options.IsExpress || IsUntouched(cookie),
            "Sojourn:Cookie (SojournOptions.Cookie) does not count with AddExpressSession, whose cookies are as ExpressSessionOptions.Cookie says. Set it "
            + "there, and not here.");
        Require(cookie.Name is null || IsToken(cookie.Name), "Cookie.Name must be a cookie name (RFC 6265: letters, digits and !#$%&'*+-.^_`|~).");
        Require(
            cookie.Path is not null && SessionCookie.IsAttribute(cookie.Path) && cookie.Path.StartsWith('/'),
            "Cookie.Path must start with '/' and hold no ';' or control character.");
        Require(
            cookie.Domain is null || (SessionCookie.IsAttribute(cookie.Domain) && cookie.Domain.Length > 0), "Cookie.Domain must be null or a domain name.");
        Require(
            cookie.MaxAge is null || (cookie.MaxAge > TimeSpan.Zero && cookie.MaxAge <= LongestCookie),
            "Cookie.MaxAge must be null, or more than zero and at most 400 days (RFC 6265bis, 5.5).");
        Require(
            Enum.IsDefined(cookie.SameSite) && Enum.IsDefined(cookie.Secure) && Enum.IsDefined(cookie.Priority),
            "Cookie.SameSite, Cookie.Secure and Cookie.Priority must be values of their types.");
        var isSecure = cookie.Secure is CookieSecure.Always or CookieSecure.ByEnvironment;
        Require(cookie.SameSite != SessionSameSite.None || isSecure, "Cookie.SameSite None needs Cookie.Secure Always: browsers drop the cookie otherwise.");
        Require(!cookie.Partitioned || isSecure, "Cookie.Partitioned needs Cookie.Secure Always: browsers drop the cookie otherwise.");
        var name1 = cookie.Name ?? "";
        Require(
            !name1.StartsWith("__Host-", StringComparison.OrdinalIgnoreCase) || (isSecure && cookie.Path == "/" && cookie.Domain is null),
            "A Cookie.Name that begins with __Host- needs Cookie.Secure Always, Cookie.Path '/' and no Cookie.Domain (RFC 6265bis, 4.1.3); or take another "
            + "Cookie.Name.");
        Require(
            !name1.StartsWith("__Secure-", StringComparison.OrdinalIgnoreCase) || isSecure,
            "A Cookie.Name that begins with __Secure- needs Cookie.Secure Always (RFC 6265bis, 4.1.3); or take another Cookie.Name.");
        Require(
            !(name1.StartsWith("__Http-", StringComparison.OrdinalIgnoreCase) || name1.StartsWith("__Host-Http-", StringComparison.OrdinalIgnoreCase))
                || (isSecure && cookie.HttpOnly),
            "A Cookie.Name that begins with __Http- or __Host-Http- needs Cookie.Secure Always and Cookie.HttpOnly; or take another Cookie.Name.");
        return problems.Build();
    }

    /// <summary>Whether nothing but the name was set, as AddExpressSession leaves it.</summary>
    private static bool IsUntouched(SessionCookieOptions cookie) =>
        cookie is { Path: "/", Domain: null, HttpOnly: true, Secure: CookieSecure.AsRequest, SameSite: SessionSameSite.Unset }
        && cookie is { MaxAge: null, Partitioned: false, Priority: SessionCookiePriority.Unset };

    internal static bool IsIdleTimeout(TimeSpan time) => time >= TimeSpan.FromSeconds(1) && time <= LongestCookie;

    /// <summary>Without an end, or one that a date can hold.</summary>
    internal static bool IsDeadline(TimeSpan? time) => time is null || (time >= TimeSpan.FromSeconds(1) && time <= TimeSpan.FromDays(36_500));

    internal static bool IsToken(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}
