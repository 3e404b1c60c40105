using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sojourn.AspNetCore.DeviceBinding;
using Sojourn.AspNetCore.Transport;
using Sojourn.Events;

namespace Sojourn.AspNetCore;

/// <summary>What every request's session of a name is served by, and where it begins: one instance for the application.</summary>
internal sealed class SessionServices(
    SessionManager manager, SessionTokens tokens, SojournOptions options, TimeProvider time, IServiceScopeFactory scopes, ILogger<SessionServices> logger,
    ExpressRules? express, DeviceBinder? binder)
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

    /// <summary>What binds sessions to devices, where that was asked for.</summary>
    public DeviceBinder? Binder => binder;

    public ILogger Logger => logger;

    public EndpointSessions Endpoints { get; } = new(options.SessionName);

    /// <summary>
    /// The request's session, begun by whoever asks first; <see langword="null"/> where the request has none. Where it cannot be loaded, the feature
    /// remembers why, and every later asker finds it so.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="isUse">
    /// Whether whoever asks looks at the session; if not, it is loaded where the options or the endpoint want it before its first use.
    /// </param>
    /// <param name="loading">When it is loaded, if it is.</param>
    public SessionFeature? Begin(HttpContext context, bool isUse, out Task loading)
    {
        loading = Task.CompletedTask;
        var feature = SessionFeature.Of(context, Name);
        var isNew = feature is null;
        feature ??= New(context);
        if (feature is null)
        {
            return null;
        }

        // Features that are set make the request look for all of its own anew, so they are set together.
        SessionHolder.Attach(context, scopes);
        feature.Attach();
        if (isUse || options.Load == SessionLoad.BeforeHandler || feature.Said()?.NamesIt == true || feature.WatchesHub)
        {
            loading = isNew ? feature.LoadAtOnceAsync() : feature.LoadAsync();
        }

        return feature;
    }

    private SessionFeature? New(HttpContext context)
    {
        var said = Endpoints.Of(context);
        if (said?.Use == SessionUse.None || IsElsewhere(context))
        {
            return null;
        }

        WarnOfHttp(context);
        return new SessionFeature(context, this, said);
    }

    /// <summary>Loads what a request's token stands for; <see langword="null"/> where it stands for nothing.</summary>
    public ValueTask<Session?> LoadAsync(HttpContext context, SessionFeature feature, IncomingToken incoming, SessionUse? use, DateTimeOffset now)
    {
        if (incoming.Token is not { } token)
        {
            return incoming.IsAmbiguous ? RefuseAmbiguousAsync() : default;
        }

        var key = token.Key ??= manager.KeyOf(token.Id);
        return use == SessionUse.Exclusive
            ? LoadExclusiveAsync(context, feature, token.Id, key)
            : manager.FindHeld(token.Id, token, feature, now) is { } session ? new(session)
            : manager.LoadAsync(token.Id, key, feature, isCopyEnough: true, context.RequestAborted, token);
    }

    private async ValueTask<Session?> RefuseAmbiguousAsync()
    {
        await manager.Events.RaiseAsync(SessionEventKind.Suspicious, suspicion: SessionSuspicion.AmbiguousTokens).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<Session?> LoadExclusiveAsync(HttpContext context, SessionFeature feature, string id, string key)
    {
        // Nobody else can hold a session that does not exist yet.
        await TakeTurnAsync(context, key).ConfigureAwait(false);
        var session = await manager.LoadAsync(id, key, feature, isCopyEnough: false, context.RequestAborted).ConfigureAwait(false);
        while (session is not null && session.Key != key)
        {
            // The id was renewed just now: the turn of its new key counts, and what is there by then.
            key = session.Key;
            await TakeTurnAsync(context, key).ConfigureAwait(false);
            try
            {
                await session.ReloadAsync(context.RequestAborted).ConfigureAwait(false);
            }
            catch (SessionEndedException)
            {
                session = null;
            }
        }

        return session;
    }

    /// <summary>Waits for a session's turn, which ends with the request, whoever the request's session was begun by.</summary>
    public async ValueTask TakeTurnAsync(HttpContext context, string key) =>
        context.Response.RegisterForDisposeAsync(await WaitForTurnAsync(key, context.RequestAborted).ConfigureAwait(false));

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
        using var timer = time.CreateTimer(
            static state => ((CancellationTokenSource)state!).Cancel(), patience, options.ExclusiveTimeout, Timeout.InfiniteTimeSpan);
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
