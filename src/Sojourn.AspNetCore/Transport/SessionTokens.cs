using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using Sojourn.Diagnostics;

namespace Sojourn.AspNetCore.Transport;

/// <summary>What a request says about its session: what its token verified for, if it did, and how the client is answered.</summary>
internal readonly record struct IncomingToken(VerifiedToken? Token, ISessionTransport Transport)
{
    public string? Id => Token?.Id;

    /// <summary>Whether its tokens were refused together, since they verify for different sessions.</summary>
    public bool IsAmbiguous { get; init; }
}

/// <summary>Token in, token out, by the transports: the one place that decides which token counts, and when one and what caching headers are sent.</summary>
internal sealed class SessionTokens
{
    private readonly SojournOptions _options;
    private readonly SessionToken _token;
    private readonly VerifiedTokens _verified = new();
    private readonly SessionMetrics _metrics;
    private readonly ILogger _logger;
    private readonly ExpressRules? _express;
    private readonly ISessionTransport[] _transports;
    private readonly string[] _requestHeaders;
    private readonly string _vary;

    public SessionTokens(
        SojournOptions options, SessionTransportOptions transports, SessionToken token, SessionMetrics metrics, ILogger<SessionTokens> logger,
        ExpressRules? express)
    {
        _options = options;
        _token = token;
        _metrics = metrics;
        _logger = logger;
        _express = express;
        _transports =
        [
            .. transports.InOrder.Select(
                transport => transport is CookieTransport ? new CookieTransport(options.Cookie.Name!, express is not null) : transport),
        ];
        _requestHeaders = [.. _transports.SelectMany(transport => transport.RequestHeaders).Distinct(StringComparer.OrdinalIgnoreCase)];
        _vary = string.Join(", ", _requestHeaders);
    }

    /// <summary>
    /// Of several tokens the one that verifies counts. The client is answered as it sent that one, or else as it spoke at all, or else by the first transport.
    /// </summary>
    public IncomingToken Read(HttpRequest request, DateTimeOffset now)
    {
        var candidates = new TokenCandidates(this, now);
        ISessionTransport? spoken = null;
        ISessionTransport? bearer = null;
        foreach (var transport in _transports)
        {
            if (transport.Read(request, ref candidates))
            {
                spoken ??= transport;
            }

            if (candidates.Token is not null)
            {
                bearer ??= transport;
            }
        }

        if (candidates.IsRefused)
        {
            _metrics.TokenRefused("ambiguous");
            _logger.AmbiguousTokens(_options.Cookie.Name!);
            bearer = null;
        }

        return new IncomingToken(candidates.Token, bearer ?? spoken ?? _transports[0]) { IsAmbiguous = candidates.IsRefused };
    }

    /// <summary>Checks one token; <see langword="null"/> when it was not signed here.</summary>
    public VerifiedToken? Verify(ReadOnlySpan<char> value, bool isEncoded, DateTimeOffset now)
    {
        if (_verified.Find(value, isEncoded, now) is { } known)
        {
            return known;
        }

        if (!_token.TryRead(value, isEncoded, out var id, out var isSignedWithFirst))
        {
            _metrics.TokenRefused("invalid");
            return null;
        }

        var token = new VerifiedToken(id, isSignedWithFirst);
        _verified.Note(value, isEncoded, token, now);
        return token;
    }

    /// <summary>Called when the response starts: sends a new token, one signed anew, or none any more, and keeps shared caches away.</summary>
    public void WriteHeaders(HttpContext context, Session session, IncomingToken incoming)
    {
        var sends = true;
        var isStored = session.Record is not null && session.State is SessionState.Live;
        if (isStored && (_express is null ? IsDue(session, incoming) : IsExpressDue(session, incoming) && _express.MaySend(context, session.Cookie)))
        {
            incoming.Transport.Write(context.Response, _token.Write(session.Id), session.Cookie);
        }
        else if (!isStored && session.DestroyedCookie is { } destroyed && incoming.Id is not null && _express is null)
        {
            incoming.Transport.Clear(context.Response, destroyed);
        }
        else
        {
            sends = false;
        }

        if (sends || session.WasUsed)
        {
            KeepFromCaches(context.Response.Headers, sends);
        }
    }

    private bool IsDue(Session session, IncomingToken incoming) =>
        !session.IsCalled(incoming.Id)
        || ((incoming.Token is not { IsSignedWithFirst: true }
                || _options.Rolling
                || session.HasChangedCookie
                || (session.WasWritten && session.HasMaxAge))
            && session.MaySendIdAgain);

    /// <summary>express-session's rule: a cookie that has an end is set again when the session's data changed.</summary>
    private bool IsExpressDue(Session session, IncomingToken incoming) =>
        !session.IsCalled(incoming.Id)
        || _options.Rolling
        || (session.WasModified && session.Cookie.Expires is not null);

    private void KeepFromCaches(IHeaderDictionary headers, bool sendsToken)
    {
        if (sendsToken || headers.CacheControl is not { Count: > 0 } said || !IsPrivate(said))
        {
            headers.CacheControl = "no-store";
        }

        if (headers.Vary.Count == 0)
        {
            headers.Vary = _vary;
            return;
        }

        foreach (var header in _requestHeaders)
        {
            if (!headers.GetCommaSeparatedValues("Vary").Any(name => name is "*" || name.Equals(header, StringComparison.OrdinalIgnoreCase)))
            {
                headers.Append("Vary", header);
            }
        }
    }

    /// <summary>Whether the application said itself that no shared cache may serve the response to others.</summary>
    private static bool IsPrivate(StringValues cacheControl)
    {
        foreach (var value in cacheControl)
        {
            if (value is not null
                && (value.Contains("private", StringComparison.OrdinalIgnoreCase) || value.Contains("no-store", StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }
}
