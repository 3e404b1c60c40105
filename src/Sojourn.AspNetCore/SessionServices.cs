using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sojourn.AspNetCore.Transport;
using Sojourn.Events;

namespace Sojourn.AspNetCore;

/// <summary>What every request's session of a name is served by, and where it begins: one instance for the application.</summary>
internal sealed class SessionServices(SessionManager manager, SessionTokens tokens, SojournOptions options, TimeProvider time, ILogger<SessionServices> logger, ExpressRules? express)
{
    private int _hasWarnedOfHttp;

    public SessionManager Manager => manager;

    public SessionTokens Tokens => tokens;

    /// <summary>The session's name; empty for the default session.</summary>
    public string Name => options.SessionName;

    public SojournOptions Options => options;

    public TimeProvider Time => time;

    /// <summary>express-session's rules, where they were asked for.</summary>
    public ExpressRules? Express => express;

    public ILogger Logger => logger;

    /// <summary>
    /// The request's session, begun by whoever asks first; <see langword="null"/> where the request has none. Where it could not be loaded, the feature
    /// remembers why, and every later asker finds it so.
    /// </summary>
    public ValueTask<SessionFeature?> BeginAsync(HttpContext context)
    {
        if (SessionFeature.Of(context, Name) is { } feature)
        {
            // A pipeline run again may have services of a scope of its own.
            context.RequestServices.GetRequiredService<SessionHolder>().Context = context;
            return new(feature);
        }

        var use = IsElsewhere(context) ? SessionUse.None : EndpointSession.UseOf(context, Name);
        return use == SessionUse.None ? default : BeginAsync(context, use);
    }

    private async ValueTask<SessionFeature?> BeginAsync(HttpContext context, SessionUse? use)
    {
        WarnOfHttp(context);
        var incoming = tokens.Read(context.Request);
        if (incoming.IsAmbiguous)
        {
            await manager.Events.RaiseAsync(SessionEventKind.Suspicious, suspicion: SessionSuspicion.AmbiguousTokens).ConfigureAwait(false);
        }

        var feature = new SessionFeature(context, this, incoming, use);
        try
        {
            var key = incoming.Token is { } token ? token.Key ??= manager.KeyOf(token.Id) : null;
            if (use == SessionUse.Exclusive && key is not null)
            {
                // Nobody else can hold a session that does not exist yet. The turn ends with the request, whoever the request's session was begun by.
                context.Response.RegisterForDisposeAsync(await WaitForTurnAsync(key, context.RequestAborted).ConfigureAwait(false));
            }

            await feature.LoadAsync(key).ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            feature.LoadFailure = e;
        }

        feature.Attach();
        context.RequestServices.GetRequiredService<SessionHolder>().Context = context;
        return feature;
    }

    /// <summary>
    /// Whether the request is outside the path that the session's cookie is for: of a session side by side with others, or of express-session. A cookie's path
    /// ends at a slash (RFC 6265bis, section 5.1.4).
    /// </summary>
    private bool IsElsewhere(HttpContext context)
    {
        if (express is not null)
        {
            return !express.Covers(context);
        }

        var path = options.Cookie.Path;
        if (Name is "" || path is "/")
        {
            return false;
        }

        var asked = context.Request.PathBase.Value + context.Request.Path.Value;
        return !asked.StartsWith(path, StringComparison.Ordinal) || (asked.Length > path.Length && path[^1] != '/' && asked[path.Length] != '/');
    }

    private async ValueTask<IAsyncDisposable> WaitForTurnAsync(string key, CancellationToken aborted)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        using var timer = time.CreateTimer(static state => ((CancellationTokenSource)state!).Cancel(), patience, options.ExclusiveTimeout, Timeout.InfiniteTimeSpan);
        try
        {
            return await manager.Exclusive.EnterAsync(key, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            throw new SessionBusyException(options.ExclusiveTimeout);
        }
    }

    private void WarnOfHttp(HttpContext context)
    {
        if (_hasWarnedOfHttp == 0
            && (express?.IsAlwaysSecure ?? options.Cookie.Secure == CookieSecure.Always)
            && !(express?.IsSecure(context) ?? context.Request.IsHttps)
            && Interlocked.Exchange(ref _hasWarnedOfHttp, 1) == 0)
        {
            logger.PlainHttp();
        }
    }
}
