using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Sojourn.AspNetCore.Compatibility;
using Sojourn.AspNetCore.LiveConnections;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>
/// The session of one request, its token, and the rules of when it may be committed. Lives as long as the HttpContext, whoever re-executes the pipeline.
/// </summary>
internal sealed partial class SessionFeature(HttpContext context, SessionServices services, EndpointSession? said) : ISessionFeature, ISessionHost
{
    private readonly DateTimeOffset _beganAt = services.Time.GetUtcNow();
    private IncomingToken _incoming;
    private Task? _loading;
    private Task? _committing;
    private ResponseGuard? _guard;
    private AspNetSession? _aspNetSession;
    private bool _hasCommitted;
    private bool _hasThrown;
    private bool _isConcluded;
    private bool _isMarked;

    /// <summary>The session of a request that has asked for it before.</summary>
    public static SessionFeature? Of(HttpContext context, string name = "") =>
        name is "" ? context.Features[typeof(ISessionFeature)] as SessionFeature : context.Features.Get<NamedSessions>()?.Find(name);

    /// <summary>
    /// The request's session for whoever asks first: the middleware, or an authentication handler, which web applications put before it and which may answer by
    /// itself, so that the middleware never runs. Such a handler needs no more than this line, and what follows from a store that fails:
    /// <list type="bullet">
    /// <item>Authenticate: without a feature no result, with a <see cref="LoadFailure"/> a failed one. Nothing is thrown, since the exception would be a 500.
    /// What runs next answers: UseSojourn by itself, the handler's own challenge and forbid by <see cref="AnswerAsync"/>.</item>
    /// <item>Sign in and out: what throws is caught where <see cref="TakesOver"/> says so.</item>
    /// <item>What it changes is saved before the response starts, whether or not the middleware runs.</item>
    /// </list>
    /// </summary>
    public static async ValueTask<SessionFeature?> BeginAsync(HttpContext context, string name = "")
    {
        var feature = context.RequestServices.GetFor<SessionServices>(name).Begin(context, isUse: true, out var loading);
        await loading.ConfigureAwait(false);
        return feature;
    }

    /// <summary>Whether the request has looked at one of its sessions.</summary>
    public static bool WereUsed(HttpContext context) => AllOf(context).Any(static feature => feature.Session is { WasUsed: true });

    /// <exception cref="SessionStoreException">It could not be loaded: nobody is given an empty one in its place.</exception>
    /// <exception cref="InvalidOperationException">Nobody has loaded it yet.</exception>
    public Session Current => Session ?? throw (LoadFailure is { } failure
        ? new SessionStoreException("The request's session could not be loaded.", failure)
        : new InvalidOperationException(
            "The session is loaded on first use (SojournOptions.Load), and nobody has loaded it in this request. Take it by 'await "
            + "context.GetSessionAsync()', or have it loaded before the handler: by a parameter of type Session, or by .WithSession() on the endpoint."));

    /// <summary>The session, once it is loaded.</summary>
    public Session? Session { get; private set; }

    public string Name => services.Name;

    /// <summary>Why the session could not be loaded, where it could not.</summary>
    public SessionStoreException? LoadFailure { get; private set; }

    /// <summary>What holds the response back; other middleware may have wrapped the response body around it.</summary>
    public ResponseGuard Guard => _guard!;

    /// <summary>Whether UseSojourn is there, to answer a failure and to save what changes late.</summary>
    public bool IsInMiddleware { get; set; }

    /// <summary>The endpoint whose requirements UseSojourn has found to be met.</summary>
    public Endpoint? Asked { get; private set; }

    /// <summary>Whether everything was saved: a response is asked three times, at its first byte, when it starts, and at its end.</summary>
    public bool IsCommitted => _hasCommitted && Session is { HasWork: false };

    /// <summary>Whether a commit is under way for which nobody waits: a synchronous write began it.</summary>
    public bool IsCommitting => _committing is { IsCompleted: false };

    public Exception? CommitFailure { get; private set; }

    ISession ISessionFeature.Session
    {
        get => _aspNetSession ??= new AspNetSession(this);
        set => throw new NotSupportedException("Sojourn serves HttpContext.Session; it cannot be replaced.");
    }

    bool ISessionHost.CanSendCookie => !context.Response.HasStarted;

    bool ISessionHost.CommitsLate => IsInMiddleware;

    bool ISessionHost.CanRenewId => !context.Response.HasStarted;

    /// <summary>Whoever has the session exclusively has it under its new id as well.</summary>
    async ValueTask<bool> ISessionHost.OnRenewingAsync(string newKey)
    {
        var isExclusive = said?.Use == SessionUse.Exclusive;
        if (isExclusive)
        {
            await services.TakeTurnAsync(context, newKey).ConfigureAwait(false);
        }

        return isExclusive;
    }

    void ISessionHost.OnUsed() => _isMarked |= ServerCaches.KeepFromResponseCache(context);

    SessionCookie ISessionHost.NewCookie()
    {
        var cookie = services.Options.Cookie;
        return services.Express?.NewCookie(context)
            ?? cookie.ToSessionCookie(
                cookie.Secure == CookieSecure.Always || (cookie.Secure == CookieSecure.AsRequest && context.Request.IsHttps), services.Time);
    }

    SessionDevice? ISessionHost.Device => RequestDevice.Of(context, services.Options.KeepDevice);

    DateTimeOffset? ISessionHost.BeganAt => _beganAt;

    bool ISessionHost.CountsAsActivity => Said()?.CountsAsActivity ?? true;

    CancellationToken ISessionHost.Aborted => context.RequestAborted;

    void ISessionHost.OnWatched(IDisposable watch) => context.Response.RegisterForDispose(watch);

    string ISessionHost.NewId() => services.Express?.NewId(context) ?? SessionId.New();

    /// <summary>Whether the request may open a SignalR connection that is to close with the session.</summary>
    public bool WatchesHub => services.Options.ClosesHubs && Said()?.IsHub != false;

    /// <summary>What the endpoint says that is chosen now: another one than at first where the pipeline is run again.</summary>
    public EndpointSession? Said()
    {
        var endpoint = EndpointSessions.EndpointOf(context);
        return ReferenceEquals(endpoint, said?.Endpoint) ? said : services.Endpoints.Of(endpoint);
    }

    /// <summary>What the chosen endpoint requires of the session and does not find.</summary>
    public SessionRequirementAttribute? FindUnmet()
    {
        var chosen = Said();
        var unmet = chosen?.FindUnmet(Session, services.Time);
        Asked = unmet is null ? chosen?.Endpoint : null;
        return unmet;
    }

    /// <summary>Loads the session, unless that was done or tried before. A store that fails is remembered and not thrown.</summary>
    public Task LoadAsync() => _loading ?? LoadAsync(services.Time.GetUtcNow());

    /// <summary>The same where the request has just begun, so that nobody looks at the clock again.</summary>
    public Task LoadAtOnceAsync() => LoadAsync(_beganAt);

    private Task LoadAsync(DateTimeOffset now)
    {
        // Parallel tasks of a request may all be the first; the guard is the request's own object.
        lock (Guard)
        {
            return _loading ??= LoadOnceAsync(now);
        }
    }

    private Task LoadOnceAsync(DateTimeOffset now)
    {
        _incoming = services.Tokens.Read(context.Request, now);
        var loading = services.LoadAsync(context, this, _incoming, said?.Use, now);
        if (!loading.IsCompletedSuccessfully || services.Binder is not null)
        {
            return WaitAsync(loading);
        }

        Take(loading.Result ?? services.Manager.Create(this));
        return Task.CompletedTask;

        async Task WaitAsync(ValueTask<Session?> loading)
        {
            try
            {
                var session = await loading.ConfigureAwait(false) ?? services.Manager.Create(this);
                LoadFailure = services.Binder is { } binder ? await binder.CheckAsync(context, session, _incoming).ConfigureAwait(false) : null;
                if (LoadFailure is null)
                {
                    Take(session);
                }
            }
            catch (SessionStoreException e)
            {
                LoadFailure = e;
            }
        }
    }

    private void Take(Session session)
    {
        session.IsReadOnly = said?.Use == SessionUse.ReadOnly;
        Session = session;
        if (WatchesHub)
        {
            SessionHubFilter.Note(context, session, Name);
        }
    }

    /// <summary>Becomes the request's session, if it is not: stands before the response, and is asked when it starts.</summary>
    public void Attach()
    {
        if (_guard is not null)
        {
            return;
        }

        _guard = new ResponseGuard(context.Response, (IHttpResponseBodyFeature)context.Features[typeof(IHttpResponseBodyFeature)]!, this);
        if (Name is "")
        {
            context.Features[typeof(ISessionFeature)] = this;
        }
        else
        {
            NamedSessions.Add(context, this);
        }

        context.Features[typeof(IHttpResponseBodyFeature)] = _guard;

        // Registered first, so that it runs after everybody else's.
        context.Response.OnStarting(static state => ((SessionFeature)state).OnStartingAsync(), this);
    }

    /// <summary>Begins a session in place of one that this request destroyed before, so that somebody can sign in to it.</summary>
    public ValueTask BeginAfterEndAsync() =>
        Current.State is SessionState.Destroyed or SessionState.Unset ? Current.RegenerateAsync(CancellationToken.None) : default;

    private static IEnumerable<SessionFeature> AllOf(HttpContext context)
    {
        IEnumerable<SessionFeature> named = context.Features.Get<NamedSessions>() ?? [];
        return Of(context) is { } own ? named.Prepend(own) : named;
    }
}
