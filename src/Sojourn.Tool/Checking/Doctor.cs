using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Sojourn.Tool.Checking;

internal enum Verdict
{
    Pass,

    /// <summary>Right for some applications, and to be looked at.</summary>
    Advice,
    Fail,
}

/// <summary>What a check found.</summary>
/// <param name="Numbers">The rows of docs/security.md that it is about.</param>
/// <param name="Check">What should hold.</param>
/// <param name="Verdict">Whether it does.</param>
/// <param name="Fix">What to do where it does not.</param>
internal sealed record Finding(string Numbers, string Check, Verdict Verdict, string Fix)
{
    public JsonObject ToJson() => new()
    {
        ["numbers"] = new JsonArray([.. Numbers.Split(' ').Select(static number => JsonValue.Create(number))]),
        ["check"] = Check,
        ["verdict"] = Verdict.ToString().ToLowerInvariant(),
        ["fix"] = Verdict == Verdict.Pass ? null : Fix,
    };
}

/// <summary>What of docs/security.md can be seen from outside.</summary>
internal static class Doctor
{
    private const int LongestCookie = 4096;
    private const int LongestAge = 400 * 24 * 60 * 60;
    private static readonly string[] TellingNames = ["connect.sid", "ASP.NET_SessionId", ".AspNetCore.Session", "JSESSIONID", "PHPSESSID"];

    /// <exception cref="ToolException">No session begins there.</exception>
    public static async Task<IReadOnlyList<Finding>> ExamineAsync(Application application, CancellationToken cancellationToken)
    {
        var first = await application.AskAsync(null, cancellationToken);
        if (first.Cookies is not [.., var cookie])
        {
            throw new ToolException(
                $"No session's cookie came back (status {first.Status}). Name a page by which a session begins, with --method POST if it needs that, and "
                + "--cookie if its form is not that of Sojourn or express-session.");
        }

        return
        [
            .. Cookie(application, first, cookie),
            .. await TokensAsync(application, cookie, cancellationToken),
            .. Headers(application, first, cookie),
        ];
    }

    private static IEnumerable<Finding> Cookie(Application application, Answer answer, SetCookie cookie)
    {
        var isHost = cookie.Name.StartsWith("__Host-", StringComparison.Ordinal);
        yield return Must("N7 O6", "it is asked for over https", application.Url.Scheme is "https", "Serve it over https, and redirect http there.");
        yield return Must("A20 O7 N13", "Secure", cookie.Has("Secure"), "Cookie.Secure = CookieSecure.Always; it is by default outside Development.");
        yield return Must("A20 A22", "__Host- in the name", isHost, "Leave Cookie.Name unset outside Development, or begin it with __Host-.");
        yield return Must("A23 O7", "HttpOnly", cookie.Has("HttpOnly"), "Cookie.HttpOnly = true.");
        yield return Must("A21 O7 K10", "SameSite is said", cookie["SameSite"] is { Length: > 0 }, "Cookie.SameSite = SessionSameSite.Lax.");
        yield return Should(
            "A21", "SameSite keeps other sites out", !string.Equals(cookie["SameSite"], "None", StringComparison.OrdinalIgnoreCase),
            "SameSite=None lets every site send it: only for pages that others embed, with antiforgery.");
        yield return Must("O8 N8", "no Domain", !cookie.Has("Domain"), "Leave Cookie.Domain unset: other hosts of the domain get it otherwise.");
        yield return Should(
            "O9", "it ends with the browser", !cookie.Has("Max-Age") && !cookie.Has("Expires"),
            "Leave Cookie.MaxAge unset, unless visitors asked to be remembered.");
        yield return Must(
            "K5", "no longer than 400 days",
            !(int.TryParse(cookie["Max-Age"], NumberStyles.None, CultureInfo.InvariantCulture, out var age) && age > LongestAge),
            "Browsers cut it: shorten Cookie.MaxAge.");
        yield return Must(
            "O1", "the name tells no technology", !TellingNames.Contains(cookie.Name, StringComparer.OrdinalIgnoreCase), "Choose another Cookie.Name.");
        yield return Must(
            "A24 K4", "name and value under 4096 bytes", cookie.Name.Length + cookie.Value.Length < LongestCookie,
            "Browsers drop it: keep entries in the session, not in the cookie.");
        yield return Must("K6 V12", "one Set-Cookie of the name", answer.Cookies.Count == 1, "Something writes the cookie besides the session's middleware.");
    }

    private static async Task<List<Finding>> TokensAsync(Application application, SetCookie cookie, CancellationToken cancellationToken)
    {
        var (name, id) = (cookie.Name, cookie.Id);
        var another = await application.AskAsync(null, cancellationToken);
        var visitor = await application.AskAsync($"{name}={cookie.Value}", cancellationToken);
        var chosen = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var forged = await application.AskAsync(
            $"{name}={Uri.EscapeDataString($"s:{chosen}.{Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=')}")}", cancellationToken);
        var plain = await application.AskAsync($"{name}={chosen}", cancellationToken);
        var altered = await application.AskAsync($"{name}={Altered(cookie.Value)}", cancellationToken);
        var inUrl = await application.AskAsync(null, cancellationToken, $"{Uri.EscapeDataString(name)}={cookie.Value}");
        return
        [
            Must(
                "A5 A6 O2 N5", "ids are long and never the same", id.Length >= 22 && another.Id is { } other && other != id,
                "Ids of 128 random bits or more: leave GenId unset."),
            Must(
                "A4", "the visitor is known again", visitor.Status < 500 && (visitor.Id is null || visitor.Id == id),
                "The cookie does not come back to the session: another secret on each instance, or a store that is not shared?"),
            Must("A4 O12", "a forged token is a stranger's", IsStranger(forged, chosen), "Something takes a token that it did not sign."),
            Must(
                "O11 V8", "an id of the visitor's choice is not taken", IsStranger(plain, chosen),
                "Something takes an id that it did not make: sessions can be fixed."),
            Must("A4 O12", "an altered signature opens nothing", IsStranger(altered, id), "Signatures are not verified."),
            Must("A32 O5", "an id in the URL is nobody's", IsStranger(inUrl, id), "Something reads ids from the URL."),
        ];
    }

    private static IEnumerable<Finding> Headers(Application application, Answer answer, SetCookie cookie)
    {
        var caching = answer.Header("Cache-Control");
        yield return Must(
            "A33 O21 V11", "caches keep nobody's page",
            caching.Contains("no-store", StringComparison.OrdinalIgnoreCase) || caching.Contains("private", StringComparison.OrdinalIgnoreCase),
            "Cache-Control: no-store, as the middleware says by itself: something overwrites it.");
        yield return Must(
            "A23 O10 V15", "the token is in Set-Cookie alone",
            !answer.Body.Contains(cookie.Id, StringComparison.Ordinal)
                && !answer.Headers.Values.Any(value => value.Contains(cookie.Id, StringComparison.Ordinal)),
            "The id stands in the page or in another header: take it out.");
        if (application.Url.Scheme is "https")
        {
            yield return Should(
                "N7", "Strict-Transport-Security", answer.Header("Strict-Transport-Security") is not "",
                "app.UseHsts(), unless what stands before it sets the header.");
        }
    }

    /// <summary>Whoever is a stranger is given an id of their own, since this page begins a session.</summary>
    private static bool IsStranger(Answer answer, string id) => answer.Status < 500 && answer.Id is { } given && given != id;

    /// <summary>The value with another character within its signature: the last one may hold bits that do not count.</summary>
    private static string Altered(string value)
    {
        for (var at = value.Length - 10; at >= 2; at--)
        {
            if (char.IsAsciiLetter(value[at]) && value[at - 1] is not '%' && value[at - 2] is not '%')
            {
                return value[..at] + (value[at] == 'A' ? 'B' : 'A') + value[(at + 1)..];
            }
        }

        return value + "A";
    }

    private static Finding Must(string numbers, string check, bool holds, string fix) => new(numbers, check, holds ? Verdict.Pass : Verdict.Fail, fix);

    private static Finding Should(string numbers, string check, bool holds, string fix) => new(numbers, check, holds ? Verdict.Pass : Verdict.Advice, fix);
}
