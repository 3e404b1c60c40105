using System.Text.Json;
using System.Text.Json.Nodes;
using Sojourn.AspNetCore;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>A cookie's attributes as <c>sessions.json</c> words them.</summary>
internal static class CookieWords
{
    public static string PathOf(JsonObject words) => words["path"]?.GetValue<string>() ?? "/";

    /// <summary>What a new session's cookie is to be.</summary>
    public static ExpressCookieOptions ToOptions(JsonObject words, TimeSpan? maxAge) => new()
    {
        Path = PathOf(words),
        Domain = words["domain"]?.GetValue<string>(),
        HttpOnly = words["httpOnly"]?.GetValue<bool>() ?? true,
        Secure = words["secure"]?.GetValue<bool>() is { } secure ? (secure ? CookieSecure.Always : CookieSecure.Never) : null,
        SameSite = words["sameSite"]?.ToString() is { } sameSite ? Enum.Parse<ExpressSameSite>(sameSite, ignoreCase: true) : ExpressSameSite.Unset,
        Partitioned = words["partitioned"]?.GetValue<bool>(),
        Priority = words["priority"]?.GetValue<string>() is { } priority
            ? Enum.Parse<SessionCookiePriority>(priority, ignoreCase: true)
            : SessionCookiePriority.Unset,
        MaxAge = maxAge,
    };

    /// <summary>Checks each attribute of a session's cookie, and how long it lives.</summary>
    public static void Check(CrossSession expected, SessionCookie actual)
    {
        var words = expected.CookieOptions;
        Assert.Equal(PathOf(words), actual.Path);
        Assert.Equal(words["domain"]?.GetValue<string>(), actual.Domain);
        Assert.Equal(words["httpOnly"]?.GetValue<bool>() ?? true, actual.HttpOnly);
        Assert.Equal(words["secure"]?.GetValue<bool>(), actual.Secure);
        Assert.Equal(words["partitioned"]?.GetValue<bool>() ?? false, actual.Partitioned);
        Assert.Equal(words["priority"]?.GetValue<string>() ?? "unset", actual.Priority.ToString(), ignoreCase: true);
        Assert.Equal(
            words["sameSite"] switch
            {
                null => "unset",
                { } sameSite when sameSite.GetValueKind() == JsonValueKind.True => "strict",
                { } sameSite when sameSite.GetValueKind() == JsonValueKind.False => "unset",
                { } sameSite => sameSite.GetValue<string>(),
            },
            actual.SameSite.ToString(),
            ignoreCase: true);
        Assert.Equal(expected.MaxAge is null, actual.MaxAge is null);
        if (expected.MaxAge is { } maxAge)
        {
            // express-session works it out from two readings of the clock.
            Assert.InRange(actual.MaxAge!.Value, maxAge - TimeSpan.FromSeconds(1), maxAge);
            Assert.InRange(
                actual.Expires!.Value, TimeProvider.System.GetUtcNow() + maxAge - TimeSpan.FromSeconds(30), TimeProvider.System.GetUtcNow() + maxAge);
        }
    }
}
