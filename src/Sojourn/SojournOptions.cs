using System.Text.Json;

namespace Sojourn;

/// <summary>What becomes of the stored session when the request has unset it (<see cref="Session.Unset"/>).</summary>
public enum UnsetBehavior
{
    /// <summary>The request's changes are dropped; the stored session stays as it was and is not touched.</summary>
    Keep,

    /// <summary>The session is destroyed.</summary>
    Destroy,
}

/// <summary>Whether the cookie bears the Secure attribute.</summary>
public enum CookieSecure
{
    /// <summary>In Development as the request is, everywhere else always.</summary>
    ByEnvironment,

    /// <summary>Always.</summary>
    Always,

    /// <summary>If the request that begins the session came over https.</summary>
    AsRequest,

    /// <summary>Never.</summary>
    Never,
}

/// <summary>When a request's session is loaded.</summary>
public enum SessionLoad
{
    /// <summary>Before the handler runs, whether or not it looks at the session.</summary>
    BeforeHandler,

    /// <summary>
    /// When somebody looks at it: a request that nobody's session matters to costs no call of the store, and does not count as use of the session. Endpoints
    /// that name the session, by a parameter or a convention, have it loaded before they run; elsewhere <c>await context.GetSessionAsync()</c> loads it, and
    /// looking at it before throws.
    /// </summary>
    OnFirstUse,
}

/// <summary>What is kept of the device that a user signs in on.</summary>
public enum DeviceKeeping
{
    /// <summary>Nothing.</summary>
    Nothing,

    /// <summary>What it calls itself: the User-Agent header.</summary>
    Agent,

    /// <summary>That, and the network it came from: the connection's address without its last 8 bits (IPv4) or its last 80 (IPv6).</summary>
    AgentAndNetwork,
}

/// <summary>What happens at a sign-in when the subject has as many sessions as they may have.</summary>
public enum SessionLimitPolicy
{
    /// <summary>The session that was used last the longest ago ends.</summary>
    EndLeastRecentlyUsed,

    /// <summary>The session that was signed in the longest ago ends.</summary>
    EndOldest,

    /// <summary>The sign-in fails with a <see cref="SessionLimitException"/>.</summary>
    Reject,
}

/// <summary>How sessions are kept. Bound from the configuration section <c>Sojourn</c>, then by code; checked when the application starts.</summary>
/// <remarks>Read once at start; a later change has no effect.</remarks>
public sealed class SojournOptions
{
    private TimeSpan? _idleTimeout;
    private JsonSerializerOptions _json = Document.SessionJson.CreateOptions();

    /// <summary>
    /// What tokens are signed with: the first signs, all verify, so that a new secret is put in front and the old one removed
    /// when its tokens have gone. Needed outside Development, where one is made and kept. None by default.
    /// </summary>
    public IList<string> Secrets { get; set; } = [];

    /// <summary>
    /// Sets applications on one store apart: an id of one opens nothing in another. The host's application name by default;
    /// it must stay the same from release to release.
    /// </summary>
    public string ApplicationName { get; set; } = "";

    /// <summary>
    /// How long a session lives without use. 20 minutes by default; 1 second to 400 days. Not to be set where the store has the layout of an npm store
    /// (<see cref="Storage.INodeLayout"/>), in which the cookie's lifetime and the layout's own count.
    /// </summary>
    public TimeSpan IdleTimeout
    {
        get => _idleTimeout ?? TimeSpan.FromMinutes(20);
        set => _idleTimeout = value;
    }

    /// <summary>
    /// How long a session lives whatever its use, from its creation or sign-in on; renewing the id does not move it.
    /// 24 hours by default; <see langword="null"/> for no such deadline.
    /// </summary>
    public TimeSpan? AbsoluteTimeout { get; set; } = TimeSpan.FromHours(24);

    /// <summary>
    /// How stale the stored expiry may become before a request that changes nothing moves it. A twentieth of the session's idle time, and at most
    /// five minutes, by default (<see langword="null"/>), less up to a quarter that differs from session to session; zero writes at every request. A session
    /// may end earlier by this much, never later. Less than <see cref="IdleTimeout"/>, or than the <c>TimeToLive</c> of an npm store's layout.
    /// </summary>
    public TimeSpan? TouchInterval { get; set; }

    /// <summary>
    /// How old an id may become: a request that finds it older renews it, at its commit, and sends the new one with its response. Off by default
    /// (<see langword="null"/>); 15 minutes is a good value; 1 minute or more. Not for stores that file sessions under their ids, as the layouts of npm stores
    /// do.
    /// </summary>
    /// <remarks>
    /// To be switched on when every process runs a version that knows it. Read-only requests, and cookie authentication's tickets, never renew an id.
    /// </remarks>
    public TimeSpan? RenewIdAfter { get; set; }

    /// <summary>
    /// How long an id that was renewed by <see cref="RenewIdAfter"/> still finds its session, for requests that were sent before the answer with the new one
    /// arrived, or whose answer was lost: each is sent the new one. 30 seconds by default; 1 second to 5 minutes, and less than <see cref="RenewIdAfter"/>. An
    /// id that a sign-in or <see cref="Session.RenewIdAsync"/> replaced is dead at once.
    /// </summary>
    public TimeSpan RenewalGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// End the session when an id of it comes back that was renewed by <see cref="RenewIdAfter"/> and is past its <see cref="RenewalGrace"/>: two clients share
    /// it, one of them a thief perhaps. False by default: the event <see cref="Events.SessionSuspicion.DeadId"/> tells of it, and the session goes on.
    /// </summary>
    public bool EndOnDeadId { get; set; }

    /// <summary>The deadlines of sessions whose user asked to be remembered (<see cref="SessionSignIn.IsPersistent"/>).</summary>
    public RememberMeOptions RememberMe { get; } = new();

    /// <summary>
    /// How many sessions a subject may have at once; <see langword="null"/>, the default, for any number. 1 to 1,000. Sessions in which somebody acts as the
    /// subject do not count. Holds under parallel sign-ins, in every process.
    /// </summary>
    public int? MaxSessionsPerSubject { get; set; }

    /// <summary>
    /// What happens at a sign-in that would exceed <see cref="MaxSessionsPerSubject"/>. <see cref="SessionLimitPolicy.EndLeastRecentlyUsed"/> by default.
    /// </summary>
    public SessionLimitPolicy WhenTooManySessions { get; set; } = SessionLimitPolicy.EndLeastRecentlyUsed;

    /// <summary>What is kept of the device that a user signs in on, for lists of their sessions. What the device calls itself by default.</summary>
    public DeviceKeeping KeepDevice { get; set; } = DeviceKeeping.Agent;

    /// <summary>
    /// When a request's session is loaded. Before the handler by default: then <c>context.GetSession()</c> works anywhere, and every request counts as use of
    /// its session.
    /// </summary>
    public SessionLoad Load { get; set; }

    /// <summary>Save an existing session at the end of every request, changed or not. False by default. Never writes over another request's change.</summary>
    public bool Resave { get; set; }

    /// <summary>Save a new session that nothing was put into. False by default: a visitor who only reads costs no record and no cookie.</summary>
    public bool SaveUninitialized { get; set; }

    /// <summary>Send the cookie with every response of an existing session. False by default.</summary>
    public bool Rolling { get; set; }

    /// <summary>What <see cref="Session.Unset"/> does to the stored session. <see cref="UnsetBehavior.Keep"/> by default.</summary>
    public UnsetBehavior Unset { get; set; }

    /// <summary>Save what a handler changed before it threw, as express-session does. False by default: half-done work is dropped.</summary>
    public bool CommitOnException { get; set; }

    /// <summary>The largest document, in bytes, that is stored. 1 MiB by default; 1 KiB to 16 MiB.</summary>
    public int MaxDocumentBytes { get; set; } = 1024 * 1024;

    /// <summary>How long one call of the store may take before the request fails. 5 seconds by default; more than zero.</summary>
    public TimeSpan StoreTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a request waits for its turn on an endpoint with an exclusive session. 10 seconds by default; more than zero.</summary>
    public TimeSpan ExclusiveTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The cookie that carries the token.</summary>
    public SessionCookieOptions Cookie { get; } = new();

    /// <summary>
    /// How soon <see cref="Session.Ended"/> notices what another process ended, where the store does not tell: so often the record of each session that
    /// somebody waits for is read. 5 seconds by default; 100 milliseconds to 1 hour.
    /// </summary>
    public TimeSpan EndedCheckInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often expired sessions are removed from a store that does not do so by itself. 1 minute by default; more than zero.</summary>
    public TimeSpan PruneInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The session's name; empty for the default session.</summary>
    internal string SessionName { get; set; } = "";

    /// <summary>What keys are made with besides the id: an id of one session opens nothing in another, even on one store.</summary>
    internal string KeyScope => SessionName is "" ? ApplicationName : $"{ApplicationName}\0{SessionName}";

    /// <summary>Whether express-session's rules count where they differ from Sojourn's own: set by <c>AddExpressSession</c>.</summary>
    internal bool IsExpress { get; set; }

    /// <summary>Whether <c>AddExpressSession</c> was told a time to live.</summary>
    internal bool IsTimeToLiveSet { get; set; }

    /// <summary>Whether SignalR connections close when the session ends: a request to a hub always loads it.</summary>
    internal bool ClosesHubs { get; set; }

    /// <summary>The secrets as bytes; those of <see cref="Secrets"/>, unless they were given as bytes.</summary>
    internal IReadOnlyList<byte[]>? SecretKeys { get; set; }

    /// <summary>A method, so that the binder of configuration leaves it alone.</summary>
    internal JsonSerializerOptions GetJson()
    {
        if (!_json.IsReadOnly)
        {
            // Until then they work out every type anew that they are asked for.
            Document.SessionJson.MakeReadOnly(_json);
        }

        return _json;
    }

    /// <summary>The secrets as bytes, whichever way they were given.</summary>
    internal IEnumerable<byte[]> SecretBytes() => SecretKeys ?? Secrets.Select(System.Text.Encoding.UTF8.GetBytes);

    internal bool IsIdleTimeoutSet => _idleTimeout is not null;

    /// <summary>
    /// Reads and writes entries with these options in place of Sojourn's own (web defaults, text left unescaped). With native AOT they need a
    /// <see cref="JsonSerializerOptions.TypeInfoResolver"/> that knows the types of the entries; else one that they do not have is the default one.
    /// </summary>
    /// <param name="options">The options; they become read-only at the first use.</param>
    /// <exception cref="ArgumentNullException">The options are null.</exception>
    public void UseJson(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _json = options;
    }
}

/// <summary>How long a session lives whose user asked to be remembered.</summary>
public sealed class RememberMeOptions
{
    /// <summary>How long it lives, and the browser keeps the cookie, without use. 30 days by default; 1 second to 400 days.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long it lives whatever its use, from sign-in on. 90 days by default; <see langword="null"/> for no such deadline.</summary>
    public TimeSpan? AbsoluteTimeout { get; set; } = TimeSpan.FromDays(90);
}

/// <summary>The cookie that carries the token: its name, and the attributes that new sessions begin with.</summary>
public sealed class SessionCookieOptions
{
    /// <summary><c>__Host-sid</c> by default (<see langword="null"/>), and <c>sid</c> in Development. Only this name is read, to the letter.</summary>
    public string? Name { get; set; }

    /// <summary>The path the browser sends the cookie to. <c>/</c> by default.</summary>
    public string Path { get; set; } = "/";

    /// <summary>The domain the browser sends the cookie to. None by default: the very host that set it.</summary>
    public string? Domain { get; set; }

    /// <summary>Whether scripts are kept from the cookie. True by default.</summary>
    public bool HttpOnly { get; set; } = true;

    /// <summary>Whether the cookie travels over https alone. By environment by default: always, and in Development as the request is.</summary>
    public CookieSecure Secure { get; set; }

    /// <summary>Which sites' requests carry the cookie. Lax by default.</summary>
    public SessionSameSite SameSite { get; set; } = SessionSameSite.Lax;

    /// <summary>
    /// How long the browser keeps the cookie after each time it is set; as long as it runs by default (<see langword="null"/>). At most 400 days (RFC 6265bis,
    /// section 5.5).
    /// </summary>
    public TimeSpan? MaxAge { get; set; }

    /// <summary>Whether each top-level site has a jar of its own for it (CHIPS). False by default.</summary>
    public bool Partitioned { get; set; }

    /// <summary>Which cookies the browser drops first. Left out by default.</summary>
    public SessionCookiePriority Priority { get; set; }

    internal SessionCookie ToSessionCookie(bool isSecure, TimeProvider time) => new()
    {
        Time = time,
        Path = Path,
        Domain = Domain,
        HttpOnly = HttpOnly,
        Secure = isSecure,
        SameSite = SameSite,
        MaxAge = MaxAge,
        Partitioned = Partitioned,
        Priority = Priority,
    };
}
