using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Ending;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Subjects;

namespace Sojourn;

/// <summary>
/// Loads sessions and saves them: the one place that knows how a request's changes become the stored session without losing anybody else's.
/// Thread-safe.
/// </summary>
public sealed partial class SessionManager : ISessionOperations
{
    /// <summary>How many commits of one session follow on one another without a pause, on average.</summary>
    private const int CommitsBetweenPauses = 8;

    /// <summary>
    /// Of ten processes that change one session without end, one loses so often in a row, while the others pause that often, once in 10^5 times.
    /// </summary>
    private const int MaxAttempts = 250;
    private const int MaxRenewAttempts = 5;
    private readonly TimedStore _store;
    private readonly SessionId _ids;
    private readonly SessionMetrics _metrics;
    private readonly ILogger _logger;
    private readonly INodeLayout? _layout;
    private readonly bool _isKeyedById;
    private readonly KeyedQueue<SessionRecord> _commits = new();
    private readonly SessionEvents _events;
    private readonly SubjectEpochs _epochs;
    private readonly SubjectPlaces _places;
    private readonly byte[][] _secrets;
    private readonly SplitDocuments _documents;

    internal SessionManager(
        ISessionStore store, IOptions<SojournOptions> options, TimeProvider time, SessionMetrics metrics, SessionEvents events, SessionWatcher watcher,
        ILogger<SessionManager> logger)
    {
        Options = options.Value;
        Time = time;
        _store = new TimedStore(store, Options.StoreTimeout, time, metrics);
        _documents = new SplitDocuments(_store.HandsOutItsOwn);
        _layout = store.As<INodeLayout>();
        _isKeyedById = store.As<IKeyedById>()?.IsKeyedById ?? _layout is not null;
        if (_layout is not null && Options is { IsIdleTimeoutSet: true, IsExpress: false })
        {
            throw Refusal(
                "IdleTimeout does not count in the layout of an npm store: sessions live as long as their cookie (Cookie.MaxAge), or as the layout's "
                + "TimeToLive. Set one of these, and not IdleTimeout.");
        }

        if (_layout is not null && Options.IsTimeToLiveSet && Options.IdleTimeout != _layout.TimeToLive)
        {
            throw Refusal(
                "ExpressSessionOptions.TimeToLive does not count in the layout of an npm store, which has its own: set TimeToLive in the options of the "
                + "store (UseConnectRedis and the like), and not here.");
        }

        if (Options.TouchInterval >= TimeToLive)
        {
            throw Refusal(
                $"TouchInterval must be shorter than {(_layout is null ? "IdleTimeout" : "the TimeToLive of the store's layout")}, which is {TimeToLive}; else "
                + "sessions in use would end.");
        }

        if (Options.RenewIdAfter is not null && _isKeyedById)
        {
            throw Refusal(
                "RenewIdAfter is not for a store that files sessions under their ids, as the layouts of npm stores do: Node applications know nothing of ids "
                + "that were renewed. Take a native layout, or leave it null.");
        }

        _secrets = [.. Options.SecretBytes()];
        _ids = new SessionId(Options.KeyScope);
        Exclusive = new ExclusiveSessions(store.As<ISessionLease>(), Options.StoreTimeout, time, logger);
        (_metrics, _events, _watcher, _logger) = (metrics, events, watcher, logger);
        Finder = new SessionFinder(_store, this);
        Places = new PagePlaces(_isKeyedById);
        _epochs = new SubjectEpochs(_store, Options.StoreTimeout, time);
        _places = new SubjectPlaces(_epochs, Finder, Options, time);
        if (Options.MaxSessionsPerSubject is not null && (store.As<ISubjectRegistry>() is null || store.As<ISessionIndex>() is null))
        {
            throw Refusal(
                "MaxSessionsPerSubject needs a store that finds sessions by their subject and keeps subjects' entries (ISessionIndex, ISubjectRegistry): one "
                + "of the native layouts. Take another store, or leave it null.");
        }
    }

    internal SojournOptions Options { get; }

    internal TimeProvider Time { get; }

    internal SessionEvents Events => _events;

    internal ExclusiveSessions Exclusive { get; }

    SojournOptions ISessionOperations.Options => Options;

    TimeProvider ISessionOperations.Time => Time;

    TimeSpan ISessionOperations.TimeToLive => TimeToLive;

    private TimeSpan TimeToLive => _layout?.TimeToLive ?? Options.IdleTimeout;

    SplitDocuments ISessionOperations.Documents => _documents;

    bool ISessionOperations.LivesAsLongAsCookie => _layout is not null || Options.IsExpress;

    /// <summary>Begins a session. It has an id and no record: it is stored when something is put into it and it is saved.</summary>
    /// <returns>The session.</returns>
    public Session Create() => Create(null);

    /// <summary>Loads the session of an id, for use outside a request. An unknown id is never adopted.</summary>
    /// <param name="id">The id, as <see cref="Session.Id"/> gives it.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The session, or <see langword="null"/> when there is none: never stored, ended, expired, or not readable.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<Session?> LoadAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        return LoadAsync(id, KeyOf(id), null, isCopyEnough: true, cancellationToken);
    }

    /// <summary>Saves what was changed, or else moves the idle deadline where that is due: what a request does at its end.</summary>
    /// <param name="session">The session.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the changes are stored is then not known.</param>
    /// <exception cref="SessionEndedException">The session ended meanwhile, and there were changes to save.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="SessionTooLargeException">The session would not fit; the stored session is unchanged.</exception>
    public ValueTask CommitAsync(Session session, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (session.Failure is { } failure)
        {
            throw failure;
        }

        switch (session.State)
        {
            case SessionState.Unset when Options.Unset == UnsetBehavior.Destroy && session.BeginCommit().IsDue:
                return DestroyAsync(session, cancellationToken);
            case SessionState.Destroyed when Options is { IsExpress: true, Unset: UnsetBehavior.Destroy } && session.BeginCommit().IsDue:
                // express-session asks the store a second time.
                return DestroyAsync(session, cancellationToken);
            case SessionState.Unset or SessionState.Destroyed:
                return default;
            case SessionState.Ended:
                return session.CollectChanges() ? throw new SessionEndedException() : default;
        }

        var (isChanged, isDue) = session.BeginCommit();
        if (!isDue && !isChanged)
        {
            // The commit before this one did what was to be done, or could not.
            return default;
        }

        if (session.Record is not { } record)
        {
            return session.IsWorthStoring && (isChanged || Options.SaveUninitialized) ? WriteAsync(session, isResave: false, cancellationToken) : default;
        }

        if (Options.RenewIdAfter is { } after && session.IsRenewalDue(after, Time.GetUtcNow()))
        {
            return RenewAndCommitAsync(session, after, isChanged, cancellationToken);
        }

        if (isChanged)
        {
            return WriteAsync(session, isResave: false, cancellationToken);
        }

        if (session.IsReadOnly && !session.IsTouchAsked)
        {
            return TouchIfDueAsync(session, record, cancellationToken);
        }

        // One that another writer made larger than may be stored is kept alive all the same.
        return Options.Resave && !session.WasWritten && record.Document.Length <= Options.MaxDocumentBytes
            ? WriteAsync(session, isResave: true, cancellationToken)
            : TouchIfDueAsync(session, record, cancellationToken);
    }

    private static OptionsValidationException Refusal(string problem) => new(nameof(SojournOptions), typeof(SojournOptions), [problem]);

    /// <summary>Whether a session can be stored, read and deleted just now.</summary>
    /// <exception cref="SessionStoreException">It cannot.</exception>
    internal async ValueTask ProbeAsync(CancellationToken cancellationToken)
    {
        var key = KeyOf("probe-" + SessionId.NewHandle());
        var record = new SessionRecord("""{"cookie":{"originalMaxAge":null,"expires":null}}"""u8.ToArray(), Time.GetUtcNow() + TimeSpan.FromMinutes(1));
        await _store.CreateAsync(key, record, cancellationToken).ConfigureAwait(false);
        _ = await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false) ?? throw new SessionStoreException(
            "The session store did not keep what it had acknowledged.");
        await _store.DeleteAsync(key, null, cancellationToken).ConfigureAwait(false);
    }

    internal Session Create(ISessionHost? host) => new(this, host);

    internal string KeyOf(string id) => _isKeyedById ? id : _ids.KeyOf(id);

    string ISessionOperations.KeyOf(string id) => KeyOf(id);

    bool ISessionOperations.NamesEverySession => _events.HasHandlers;

    ValueTask ISessionOperations.SaveAsync(Session session, bool evenIfEmpty, CancellationToken cancellationToken)
    {
        if (session.Failure is { } failure)
        {
            throw failure;
        }

        if (session.State == SessionState.Ended)
        {
            throw new SessionEndedException();
        }

        var isChanged = session.CollectChanges();
        return session.Record is null ? (evenIfEmpty || session.IsWorthStoring ? WriteAsync(session, isResave: false, cancellationToken) : default)
            : isChanged || evenIfEmpty ? WriteAsync(session, isResave: !isChanged, cancellationToken)
            : default;
    }

    ValueTask ISessionOperations.DestroyAsync(Session session, SessionEndReason reason, CancellationToken cancellationToken) =>
        DestroyAsync(session, cancellationToken, reason);

    /// <summary>What a log may hold of a key. A key that is an id is hashed first.</summary>
    private string Start(string key) => (_isKeyedById ? _ids.KeyOf(key) : key)[..8];

    private ValueTask TouchIfDueAsync(Session session, SessionRecord record, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (record.IsQuietAt(now) && !session.IsTouchAsked)
        {
            return default;
        }

        if (session.KnownIsNew || session.IsVersionUnknown || record.ExpiresAt <= now || _layout is { CanTouch: false })
        {
            // Just stored, or outlived by this very request: there is nothing to keep alive.
            return default;
        }

        var expiresAt = session.FreshExpiry(now);
        var interval = session.IsTouchAsked ? TimeSpan.Zero : session.TouchInterval;
        if (Deadlines.TouchIsDue(record.ExpiresAt, expiresAt, interval))
        {
            return session.IsTouchAsked || session.CountsAsActivity ? TouchAsync(session, record, now, expiresAt, cancellationToken) : default;
        }

        if (!session.HasWork)
        {
            // As it is stored: what express-session changes and does not save counts for this request alone.
            record.StayQuietUntil(session.QuietUntil(record.ExpiresAt, interval));
        }

        return default;
    }

    private async ValueTask TouchAsync(Session session, SessionRecord record, DateTimeOffset now, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        try
        {
            var result = await _store.TouchAsync(session.Key, record, expiresAt, cancellationToken).ConfigureAwait(false);
            if (result.Outcome == WriteOutcome.Done)
            {
                session.MarkTouched(result.Record ?? record.WithExpiry(expiresAt), now);
            }
            else if (result.Outcome == WriteOutcome.Gone)
            {
                session.MarkEnded();
            }
        }
        catch (SessionStoreException e)
        {
            _logger.TouchFailed(Start(session.Key), e);
        }
    }
}
