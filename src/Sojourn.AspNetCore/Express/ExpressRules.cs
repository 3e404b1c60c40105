using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>What express-session decides by request and Sojourn does not: whether there is a session at all, what is secure, how it begins.</summary>
internal sealed class ExpressRules(IOptions<ExpressSessionOptions> options, TimeProvider time)
{
    private readonly ExpressSessionOptions _options = options.Value;

    /// <summary>Whether the request's path begins with the cookie's, by plain text, as the client wrote it.</summary>
    public bool Covers(HttpContext context)
    {
        var path = CookieOf(context).Path;
        return path is "/" || OriginalPath(context).StartsWith(path, StringComparison.Ordinal);
    }

    /// <summary>Whether new sessions' cookies are secure whatever the request is.</summary>
    public bool IsAlwaysSecure => _options.CookieByRequest is null && _options.Cookie.Secure == CookieSecure.Always;

    public bool IsSecure(HttpContext context) =>
        context.Features.Get<ITlsHandshakeFeature>() is not null
        || (_options.Proxy switch
        {
            true => context.Request.Headers["X-Forwarded-Proto"].ToString().Split(',')[0].Trim().Equals("https", StringComparison.OrdinalIgnoreCase),
            false => false,
            null => context.Request.IsHttps,
        });

    public string NewId(HttpContext context) => _options.GenId?.Invoke(context) is not { } id ? SessionId.New(SessionId.ExpressBytes)
        : Encoding.UTF8.GetByteCount(id) is >= 1 and <= SessionToken.MaxIdBytes ? id
        : throw new InvalidOperationException("ExpressSessionOptions.GenId must return an id of 1 to 256 bytes of UTF-8: no other comes back.");

    public SessionCookie NewCookie(HttpContext context)
    {
        var from = CookieOf(context);
        var cookie = new SessionCookie
        {
            Time = time,
            Path = from.Path,
            Domain = from.Domain,
            HttpOnly = from.HttpOnly,
            Secure = from.Secure is { } secure ? secure == CookieSecure.Always || (secure == CookieSecure.AsRequest && IsSecure(context)) : null,
            IsSameSiteBoolean = from.SameSite is ExpressSameSite.True or ExpressSameSite.False,
            SameSite = from.SameSite switch
            {
                ExpressSameSite.Auto => IsSecure(context) ? SessionSameSite.None : SessionSameSite.Lax,
                ExpressSameSite.Lax => SessionSameSite.Lax,
                ExpressSameSite.Strict or ExpressSameSite.True => SessionSameSite.Strict,
                ExpressSameSite.None => SessionSameSite.None,
                _ => SessionSameSite.Unset,
            },
            IsPartitionedGiven = from.Partitioned is not null,
            Partitioned = from.Partitioned ?? false,
            Priority = from.Priority,
        };
        if (from.Expires is { } expires)
        {
            cookie.Expires = expires;
        }
        else if (from.MaxAge is { } maxAge)
        {
            cookie.MaxAge = maxAge;
        }

        return cookie;
    }

    /// <summary>The cookie goes only where it may: a secure one over plain http not at all, whatever becomes of the record.</summary>
    public bool MaySend(HttpContext context, SessionCookie cookie) => cookie.Secure != true || IsSecure(context);

    private ExpressCookieOptions CookieOf(HttpContext context) => _options.CookieByRequest?.Invoke(context) ?? _options.Cookie;

    /// <summary>As the client wrote it, without the query, and without scheme and host where it wrote those too.</summary>
    private static string OriginalPath(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        if (!target.StartsWith('/'))
        {
            return context.Request.PathBase.Value + context.Request.Path.Value;
        }

        var query = target.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? target : target[..query];
    }
}
