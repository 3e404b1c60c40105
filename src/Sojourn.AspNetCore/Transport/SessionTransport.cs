using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Sojourn.Diagnostics;

namespace Sojourn.AspNetCore.Transport;

/// <summary>What a request says about its session: the id its token verifies for, if any.</summary>
internal readonly record struct IncomingToken(string? Id, bool IsSignedWithFirst);

/// <summary>Reads the token from the raw Cookie header, and is the one place that writes cookies and caching headers, so that attributes always agree.</summary>
internal sealed class SessionTransport(IOptions<SojournOptions> options, SessionToken token, SessionMetrics metrics, ILogger<SessionTransport> logger, ExpressRules? express = null)
{
    private const int MaxCandidates = 8;
    private readonly string _name = options.Value.Cookie.Name!;

    /// <summary>
    /// Of several cookies of the name the one that verifies counts; two that verify for different sessions are refused together.
    /// For express-session the first of the name counts, whatever it is.
    /// </summary>
    public IncomingToken Read(HttpRequest request)
    {
        var header = request.Headers.Cookie;
        string? found = null;
        var isSignedWithFirst = false;
        var candidates = 0;
        for (var i = 0; i < header.Count; i++)
        {
            var rest = header[i].AsSpan();
            while (TakeCookie(ref rest, out var value))
            {
                // A header full of forged cookies must not buy any amount of HMACs.
                if (++candidates > (express is null ? MaxCandidates : 1))
                {
                    return express is null ? Refuse("ambiguous") : new IncomingToken(found, isSignedWithFirst);
                }

                if (!token.TryRead(value, out var id, out var isFirst))
                {
                    metrics.TokenRefused("invalid");
                    continue;
                }

                if (found is not null && !string.Equals(found, id, StringComparison.Ordinal))
                {
                    return Refuse("ambiguous");
                }

                found = id;
                isSignedWithFirst = isFirst;
            }
        }

        return new IncomingToken(found, isSignedWithFirst);
    }

    /// <summary>Called when the response starts: sets, renews, signs anew or clears the cookie, and keeps shared caches away.</summary>
    public void WriteHeaders(HttpContext context, Session session, IncomingToken incoming)
    {
        var setsCookie = true;
        var isStored = session.Record is not null && session.State is SessionState.Live;
        if (isStored && (express is null ? IsCookieDue(session, incoming) : IsExpressCookieDue(session, incoming) && express.MaySend(context, session.Cookie)))
        {
            context.Response.Headers.Append("Set-Cookie", Format(token.Write(session.Id), session.Cookie, isCleared: false));
        }
        else if (!isStored && session.DestroyedCookie is { } destroyed && incoming.Id is not null && express is null)
        {
            context.Response.Headers.Append("Set-Cookie", Format("", destroyed, isCleared: true));
        }
        else
        {
            setsCookie = false;
        }

        if (setsCookie || session.WasUsed)
        {
            KeepFromCaches(context, setsCookie);
        }
    }

    private bool IsCookieDue(Session session, IncomingToken incoming) =>
        !session.IsCalled(incoming.Id)
        || !incoming.IsSignedWithFirst
        || options.Value.Rolling
        || session.HasChangedCookie
        || (session.WasWritten && session.HasMaxAge);

    /// <summary>express-session's rule: a cookie that has an end is set again when the session's data changed.</summary>
    private bool IsExpressCookieDue(Session session, IncomingToken incoming) =>
        !session.IsCalled(incoming.Id)
        || options.Value.Rolling
        || (session.WasModified && session.Cookie.Expires is not null);

    /// <summary>ASP.NET Core's output cache stores before the response may have started, so it is told at the first use.</summary>
    public static void KeepFromOutputCache(HttpContext context)
    {
        if (context.Features.Get<IOutputCacheFeature>() is { } outputCache)
        {
            outputCache.Context.AllowCacheStorage = false;
        }
    }

    private static void KeepFromCaches(HttpContext context, bool setsCookie)
    {
        var headers = context.Response.Headers;
        if (setsCookie || !IsPrivate(headers.CacheControl))
        {
            headers.CacheControl = "no-store";
        }

        if (headers.Vary.Count == 0)
        {
            headers.Vary = "Cookie";
        }
        else if (!headers.GetCommaSeparatedValues("Vary").Any(static name => name is "*" || name.Equals("Cookie", StringComparison.OrdinalIgnoreCase)))
        {
            headers.Append("Vary", "Cookie");
        }
    }

    /// <summary>Whether the application said itself that no shared cache may serve the response to others.</summary>
    private static bool IsPrivate(StringValues cacheControl)
    {
        foreach (var value in cacheControl)
        {
            if (value is not null && (value.Contains("private", StringComparison.OrdinalIgnoreCase) || value.Contains("no-store", StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }

    internal string Format(string value, SessionCookie cookie, bool isCleared)
    {
        var text = new StringBuilder(_name, 256).Append('=').Append(value);
        if (cookie.Domain is { } domain)
        {
            text.Append("; Domain=").Append(domain);
        }

        text.Append("; Path=").Append(cookie.Path);
        if (isCleared)
        {
            text.Append("; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        }
        else if (express is not null && cookie.Expires is { } expires)
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

    private IncomingToken Refuse(string reason)
    {
        metrics.TokenRefused(reason);
        logger.AmbiguousCookies(_name);
        return default;
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

            var name = pair[..equals];
            value = pair[(equals + 1)..];
            if (express is not null)
            {
                // The package cookie allows white space on both sides of the sign.
                name = name.TrimEnd(" \t");
                value = value.TrimStart(" \t");
            }

            if (name.SequenceEqual(_name))
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
