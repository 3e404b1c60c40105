using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Transport;

/// <summary>The token in a cookie: read from the raw header, without a dictionary or a copy, and percent-encoded.</summary>
/// <param name="name">The cookie's name.</param>
/// <param name="isExpress">Whether express-session's rules of reading and writing count.</param>
internal sealed class CookieTransport(string name, bool isExpress) : ISessionTransport
{
    private static readonly string[] Cookie = ["Cookie"];

    public IReadOnlyList<string> RequestHeaders => Cookie;

    /// <summary>For express-session the first cookie of the name counts, whatever it is.</summary>
    public bool Read(HttpRequest request, ref TokenCandidates candidates)
    {
        var header = request.Headers.Cookie;
        var isSpoken = false;
        for (var i = 0; i < header.Count; i++)
        {
            var rest = header[i].AsSpan();
            while (TakeCookie(ref rest, out var value))
            {
                isSpoken = true;
                if (!candidates.Offer(value, isEncoded: true) || isExpress)
                {
                    return true;
                }
            }
        }

        return isSpoken;
    }

    public void Write(HttpResponse response, string token, SessionCookie cookie) =>
        response.Headers.Append("Set-Cookie", Format(SessionToken.Encode(token), cookie, isCleared: false));

    public void Clear(HttpResponse response, SessionCookie cookie) => response.Headers.Append("Set-Cookie", Format("", cookie, isCleared: true));

    internal string Format(string value, SessionCookie cookie, bool isCleared)
    {
        var text = new StringBuilder(name, 256).Append('=').Append(value);
        if (cookie.Domain is { } domain)
        {
            text.Append("; Domain=").Append(domain);
        }

        text.Append("; Path=").Append(cookie.Path);
        if (isCleared)
        {
            text.Append("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        }
        else if (isExpress && cookie.Expires is { } expires)
        {
            text.Append(CultureInfo.InvariantCulture, $"; Expires={expires.UtcDateTime:R}");
        }
        else if (cookie.MaxAge is { } maxAge)
        {
            text.Append(CultureInfo.InvariantCulture, $"; Max-Age={(long)maxAge.TotalSeconds}");
        }

        if (cookie.HttpOnly)
        {
            text.Append("; HttpOnly");
        }

        if (cookie.Secure == true)
        {
            text.Append("; Secure");
        }

        if (cookie.Partitioned)
        {
            text.Append("; Partitioned");
        }

        if (cookie.Priority != SessionCookiePriority.Unset)
        {
            text.Append("; Priority=").Append(cookie.Priority);
        }

        if (cookie.SameSite != SessionSameSite.Unset)
        {
            text.Append("; SameSite=").Append(cookie.SameSite);
        }

        return text.ToString();
    }

    /// <summary>Takes cookies off the header until one has exactly our name (RFC 6265bis, 5.7): no decoding, nothing trimmed but spaces and tabs.</summary>
    internal bool TakeCookie(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> value)
    {
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf(';');
            var pair = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            pair = pair.Trim(" \t");
            var equals = pair.IndexOf('=');
            if (equals < 0)
            {
                continue;
            }

            var called = pair[..equals];
            value = pair[(equals + 1)..];
            if (isExpress)
            {
                // The package cookie allows white space on both sides of the sign.
                called = called.TrimEnd(" \t");
                value = value.TrimStart(" \t");
            }

            if (called.SequenceEqual(name))
            {
                if (value.Length >= 2 && value[0] == '"' && value[^1] == '"')
                {
                    value = value[1..^1];
                }

                return true;
            }
        }

        value = default;
        return false;
    }
}
