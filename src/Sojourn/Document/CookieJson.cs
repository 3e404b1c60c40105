using System.Text.Json;

namespace Sojourn.Document;

/// <summary>The <c>cookie</c> member, read and written as express-session does: same members, same order.</summary>
internal static class CookieJson
{
    private static readonly double MaxMilliseconds = TimeSpan.FromDays(36500).TotalMilliseconds;

    public static byte[] Write(SessionCookie cookie) => JsonText.Write(cookie, static (writer, cookie) =>
    {
        writer.WriteStartObject();
        if (cookie.MaxAge is { } maxAge)
        {
            writer.WriteNumber("originalMaxAge"u8, (long)maxAge.TotalMilliseconds);
        }
        else
        {
            writer.WriteNull("originalMaxAge"u8);
        }

        if (cookie.Partitioned || cookie.IsPartitionedGiven)
        {
            writer.WriteBoolean("partitioned"u8, cookie.Partitioned);
        }

        if (cookie.Priority != SessionCookiePriority.Unset)
        {
            writer.WriteString("priority"u8, cookie.Priority switch
            {
                SessionCookiePriority.Low => "low"u8,
                SessionCookiePriority.High => "high"u8,
                _ => "medium"u8,
            });
        }

        if (cookie.Expires is { } expires)
        {
            JsonText.WriteTime(writer, "expires"u8, expires);
        }
        else
        {
            writer.WriteNull("expires"u8);
        }

        if (cookie.Secure is { } secure)
        {
            writer.WriteBoolean("secure"u8, secure);
        }

        writer.WriteBoolean("httpOnly"u8, cookie.HttpOnly);
        JsonText.WriteText(writer, "domain"u8, cookie.Domain);
        writer.WriteString("path"u8, cookie.Path);
        if (cookie.IsSameSiteBoolean && cookie.SameSite is (SessionSameSite.Strict or SessionSameSite.Unset))
        {
            writer.WriteBoolean("sameSite"u8, cookie.SameSite == SessionSameSite.Strict);
        }
        else if (cookie.SameSite != SessionSameSite.Unset)
        {
            writer.WriteString("sameSite"u8, cookie.SameSite switch
            {
                SessionSameSite.Lax => "lax"u8,
                SessionSameSite.Strict => "strict"u8,
                _ => "none"u8,
            });
        }

        writer.WriteEndObject();
    });

    /// <summary>Whether the browser keeps the cookie for as long as it runs, seen without reading the member: express-session writes this one first.</summary>
    public static bool IsBrowserLength(ReadOnlySpan<byte> utf8) => utf8.StartsWith("{\"originalMaxAge\":null"u8);

    /// <summary>Reads the member; what is missing or strange in it is as if it were not there.</summary>
    public static SessionCookie Parse(ReadOnlySpan<byte> utf8, TimeProvider time)
    {
        var cookie = new SessionCookie { HttpOnly = false, Time = time };
        TimeSpan? maxAge = null;
        DateTimeOffset? expires = null;
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = SessionDocument.MaxDepth });
        if (utf8.IsEmpty || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return new SessionCookie { Time = time };
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JsonText.TextOf(ref reader);
            reader.Read();
            switch (name, reader.TokenType)
            {
                case ("originalMaxAge", JsonTokenType.Number) when reader.TryGetDouble(out var milliseconds):
                    maxAge = Clamp(milliseconds);
                    break;
                case ("expires", JsonTokenType.String) when JsonText.TimeOf(ref reader) is { } at:
                    expires = at;
                    break;
                case ("httpOnly", JsonTokenType.True):
                    cookie.HttpOnly = true;
                    break;
                case ("secure", JsonTokenType.True or JsonTokenType.False):
                    cookie.Secure = reader.TokenType == JsonTokenType.True;
                    break;
                case ("partitioned", JsonTokenType.True or JsonTokenType.False):
                    cookie = cookie with { IsPartitionedGiven = true, Partitioned = reader.TokenType == JsonTokenType.True };
                    break;
                case ("domain", JsonTokenType.String) when JsonText.TextOf(ref reader) is { } domain && SessionCookie.IsAttribute(domain):
                    cookie.Domain = domain;
                    break;
                case ("path", JsonTokenType.String) when JsonText.TextOf(ref reader) is { } path && SessionCookie.IsAttribute(path):
                    cookie.Path = path;
                    break;
                case ("sameSite", JsonTokenType.True or JsonTokenType.False):
                    cookie = cookie with
                    {
                        IsSameSiteBoolean = true,
                        SameSite = reader.TokenType == JsonTokenType.True ? SessionSameSite.Strict : SessionSameSite.Unset,
                    };
                    break;
                case ("sameSite", JsonTokenType.String) when Enum.TryParse<SessionSameSite>(JsonText.TextOf(ref reader), ignoreCase: true, out var sameSite)
                    && Enum.IsDefined(sameSite):
                    cookie.SameSite = sameSite;
                    break;
                case ("priority", JsonTokenType.String) when Enum.TryParse<SessionCookiePriority>(
                    JsonText.TextOf(ref reader), ignoreCase: true, out var priority)
                    && Enum.IsDefined(priority):
                    cookie.Priority = priority;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        // A record that does not say how long says at least until when.
        cookie.Restore(maxAge ?? (expires is { } end ? Clamp((end - time.GetUtcNow()).TotalMilliseconds) : null), expires);
        return cookie;
    }

    private static TimeSpan Clamp(double milliseconds) => TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, -MaxMilliseconds, MaxMilliseconds));
}
