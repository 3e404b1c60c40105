namespace Sojourn.Storage.NearCache;

/// <summary>
/// Keeps copies of another store's records in this process, and answers readings from them while they are young. Writes go to the other store, with its
/// versions, which decides; what it answers becomes the copy. Thread-safe.
/// </summary>
/// <remarks>
/// The outermost of decorators: copies are of opened documents, so that nothing is opened twice, and whoever can read this process's memory reads the sessions
/// of running requests and the keys anyway. Only what is there is copied: a key without a record is asked for again, so that a session that begins is found at
/// once, and unknown ids push nobody's copy out.
/// </remarks>
internal sealed class NearCacheStore : ISessionStore, INearCache, ISessionIndex, IExpiringStore, ISessionNotifications, IAsyncDisposable
{
    private readonly ISessionStore _inner;
    private readonly NearCopies _copies;
    private readonly SharedLoads _loads;
    private readonly Diagnostics.SessionMetrics _metrics;

    public NearCacheStore(ISessionStore inner, NearCacheOptions options, TimeProvider time, Diagnostics.SessionMetrics metrics)
    {
        (_inner, _metrics) = (inner, metrics);
        _copies = new NearCopies(options, time, metrics);
        _loads = new SharedLoads(inner, _copies);
    }

    internal NearCopies Copies => _copies;

    public T? As<T>()
        where T : class
    {
        if (typeof(T) == typeof(INearCache))
        {
            return this as T;
        }

        // This store is what the other one is: some of it by itself, since copies follow from it.
        return _inner.As<T>() is { } inner ? this as T ?? inner : null;
    }

    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (FindCopy(key) is { } copy)
        {
            return new(copy.Record);
        }

        _metrics.NearCacheMissed();
        return new(_loads.ReadAsync(key, cancellationToken));
    }

    public NearCopy? FindCopy(string key)
    {
        var copy = _copies.Find(key);
        if (copy is not null)
        {
            _metrics.NearCacheHit();
        }

        return copy;
    }

    public bool HasCopy(NearCopy copy)
    {
        var isThere = _copies.Has(copy);
        if (isThere)
        {
            _metrics.NearCacheHit();
        }

        return isThere;
    }

    public async ValueTask<SessionRecord?> ReadStoredAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var call = _copies.Begin(key);
        var record = await _inner.ReadAsync(key, cancellationToken).ConfigureAwait(false);
        _copies.HaveRead(key, record, call);
        return record;
    }

    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var call = _copies.Begin(key);
        try
        {
            return await _inner.CreateAsync(key, record, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // Only the store knows the version.
            _copies.HaveWritten(key, null, call);
        }
    }

    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var (call, result) = (_copies.Begin(key), (WriteResult?)null);
        try
        {
            result = await _inner.ReplaceAsync(key, current, next, cancellationToken).ConfigureAwait(false);
            return result.Value;
        }
        finally
        {
            _copies.HaveWritten(key, StoredBy(result), call);
        }
    }

    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var (call, result) = (_copies.Begin(key), (WriteResult?)null);
        try
        {
            result = await _inner.TouchAsync(key, current, expiresAt, cancellationToken).ConfigureAwait(false);
            return result.Value;
        }
        finally
        {
            _copies.HaveWritten(key, StoredBy(result), call);
        }
    }

    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var call = _copies.Begin(key);
        try
        {
            return await _inner.DeleteAsync(key, current, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _copies.HaveWritten(key, null, call);
        }
    }

    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) =>
        Inner<ISessionIndex>().FindAsync(label, cancellationToken);

    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
        Inner<ISessionIndex>().PageAsync(afterKey, limit, cancellationToken);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => Inner<ISessionIndex>().CountAsync(cancellationToken);

    public async ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        try
        {
            return await Inner<ISessionIndex>().DeleteByLabelAsync(label, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // Which keys they were is not told, and a copy may not know the label yet.
            _copies.Clear();
        }
    }

    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        try
        {
            return await Inner<IExpiringStore>().PruneAsync(now, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _copies.RemoveExpired(now);
        }
    }

    /// <summary>
    /// Listens for the copies as well as for the subscriber, and for the copies first: what a subscriber reads when it is told is not older than the news.
    /// </summary>
    public async ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var subscription = await Inner<ISessionNotifications>().SubscribeAsync(
            notification =>
            {
                Hear(notification);
                handler(notification);
            },
            cancellationToken).ConfigureAwait(false);

        // Of what came before nothing was told.
        _copies.Clear();
        return subscription;
    }

    public async ValueTask DisposeAsync()
    {
        if (_inner is IAsyncDisposable asyncDisposable)
        {
            await asyncDisposable.DisposeAsync().ConfigureAwait(false);
        }
        else
        {
            (_inner as IDisposable)?.Dispose();
        }
    }

    private static SessionRecord? StoredBy(WriteResult? result) => result is { Outcome: WriteOutcome.Done, Record: { } stored } ? stored : null;

    private T Inner<T>()
        where T : class => _inner.As<T>() ?? throw new NotSupportedException($"{_inner.GetType().Name} is no {typeof(T).Name}.");

    private void Hear(SessionNotification notification)
    {
        if (notification.Key is { } key && notification.Kind != SessionNotificationKind.Missed)
        {
            _copies.HaveHeard(key, notification.Version);
        }
        else
        {
            _copies.Clear();
        }
    }
}
