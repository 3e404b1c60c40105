using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sojourn.Document;

namespace Sojourn.ExpressConformance;

/// <summary>The members of express-session's cookie object, on Sojourn's.</summary>
internal static class CookieOperations
{
    public static string Iso(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    public static JsonObject ToJson(SessionCookie cookie) => JsonNode.Parse(CookieJson.Write(cookie))!.AsObject();

    public static JsonNode? Get(SessionCookie cookie, string name) =>
        name == "maxAge" ? Milliseconds(cookie.Expires - TimeProvider.System.GetUtcNow()) : ToJson(cookie)[name]?.DeepClone();

    public static JsonNode? Set(SessionCookie cookie, string name, JsonNode? value)
    {
        var isNothing = value?.GetValueKind() is null or JsonValueKind.False;
        switch (name)
        {
            case "maxAge" or "originalMaxAge" when isNothing:
                cookie.MaxAge = null;
                break;
            case "maxAge" when value!.GetValueKind() is JsonValueKind.String:
                return new JsonObject { ["error"] = "maxAge must be a number or Date" };
            case "maxAge" or "originalMaxAge":
                cookie.MaxAge = value is JsonObject
                    ? OptionsJson.ReadDate(value) - TimeProvider.System.GetUtcNow()
                    : TimeSpan.FromMilliseconds(value!.GetValue<double>());
                break;
            case "expires":
                cookie.Expires = OptionsJson.ReadDate(value);
                break;
            case "path":
                cookie.Path = value!.GetValue<string>();
                break;
            case "domain":
                cookie.Domain = value?.GetValue<string>();
                break;
            case "httpOnly":
                cookie.HttpOnly = !isNothing;
                break;
            case "secure":
                cookie.Secure = !isNothing;
                break;
            case "sameSite":
                cookie.SameSite = isNothing ? SessionSameSite.Unset
                    : value!.GetValueKind() == JsonValueKind.True ? SessionSameSite.Strict
                    : Enum.Parse<SessionSameSite>(value.GetValue<string>(), ignoreCase: true);
                break;
            case "partitioned":
                cookie.Partitioned = !isNothing;
                break;
            case "priority":
                cookie.Priority = OptionsJson.ReadPriority(value!.GetValue<string>());
                break;
        }

        return "ok";
    }

    private static double? Milliseconds(TimeSpan? time) => time is { } value ? Math.Round(value.TotalMilliseconds) : null;
}
