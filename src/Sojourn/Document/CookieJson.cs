using System.Text.Json;

namespace Sojourn.Document;

/// <summary>The <c>cookie</c> member, read and written as express-session does: same members, same order.</summary>
internal static class CookieJson
{
    public static byte[] Write(SessionCookie cookie, DateTimeOffset now) => JsonText.Write((cookie, now), static (writer, state) =>
    {
        var (cookie, now) = state;
        writer.WriteStartObject();
        if (cookie.MaxAge is { } maxAge)
        {
            writer.WriteNumber("originalMaxAge"u8, (long)maxAge.TotalMilliseconds);
        }
        else
        {
            writer.WriteNull("originalMaxAge"u8);
        }

        if (cookie.Partitioned)
        {
            writer.WriteBoolean("partitioned"u8, true);
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

        if (cookie.MaxAge is { } lifetime)
        {
            JsonText.WriteTime(writer, "expires"u8, now + lifetime);
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
        if (cookie.SameSite != SessionSameSite.Unset)
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
    public static SessionCookie Parse(ReadOnlySpan<byte> utf8)
    {
        var cookie = new SessionCookie { HttpOnly = false };
        var reader = new Utf8JsonReader(utf8);
        if (utf8.IsEmpty || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return new SessionCookie();
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            switch (name, reader.TokenType)
            {
                case ("originalMaxAge", JsonTokenType.Number) when reader.TryGetDouble(out var milliseconds):
                    cookie.MaxAge = TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 0, TimeSpan.FromDays(36500).TotalMilliseconds));
                    break;
                case ("httpOnly", JsonTokenType.True):
                    cookie.HttpOnly = true;
                    break;
                case ("secure", JsonTokenType.True or JsonTokenType.False):
                    cookie.Secure = reader.TokenType == JsonTokenType.True;
                    break;
                case ("partitioned", JsonTokenType.True):
                    cookie.Partitioned = true;
                    break;
                case ("domain", JsonTokenType.String):
                    cookie.Domain = reader.GetString();
                    break;
                case ("path", JsonTokenType.String):
                    cookie.Path = reader.GetString()!;
                    break;
                case ("sameSite", JsonTokenType.True):
                    cookie.SameSite = SessionSameSite.Strict;
                    break;
                case ("sameSite", JsonTokenType.String) when Enum.TryParse<SessionSameSite>(reader.GetString(), ignoreCase: true, out var sameSite) && Enum.IsDefined(sameSite):
                    cookie.SameSite = sameSite;
                    break;
                case ("priority", JsonTokenType.String) when Enum.TryParse<SessionCookiePriority>(reader.GetString(), ignoreCase: true, out var priority) && Enum.IsDefined(priority):
                    cookie.Priority = priority;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return cookie;
    }
}
