using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sojourn.Storage;

/// <summary>
/// Keeps sessions in the memory of one process: for applications that run as one process and may lose their sessions when it ends.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Bounded by <see cref="MemorySessionStoreOptions.MaxSessions"/>. All members complete synchronously; a read allocates
/// nothing and hands out the very record that is stored. Records are never copied.</para>
/// <para>Pruning looks only at the keys that are due, so its cost follows the number of sessions that end, not of those that live.
/// <see cref="PageAsync"/> looks at every key for every page.</para>
/// </remarks>
public sealed class MemorySessionStore : ISessionStore, IExpiringStore, ISessionIndex, ISubjectRegistry
{
    private const int PruneBatch = 256;
    private const int ShardCount = 64;

    /// <summary>One count for all keys, so that a key that is deleted and created again never meets a version that it had before.</summary>
    private static long _lastVersion;

    // Locks are taken in this order: pruning, one shard, one label.
    private readonly Lock _pruning = new();
    private readonly Shard[] _shards;
    private readonly LabelIndex _labels = new();
    private readonly SubjectEntries _subjects = new();
    private readonly TimeProvider _timeProvider;
    private readonly int _maxSessions;
    private long _count;
    private long? _madeRoomAt;

    /// <summary>Makes an empty store.</summary>
    /// <param name="options">The limit; the defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">Tells what has expired when a full store makes room; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="MemorySessionStoreOptions.MaxSessions"/> is less than 1.</exception>
    public MemorySessionStore(MemorySessionStoreOptions? options = null, TimeProvider? timeProvider = null)
    {
        _maxSessions = (options ?? new()).MaxSessions;
        ArgumentOutOfRangeException.ThrowIfLessThan(_maxSessions, 1, nameof(options));
        _timeProvider = timeProvider ?? TimeProvider.System;
        var now = _timeProvider.GetUtcNow();
        _shards = [.. Enumerable.Range(0, ShardCount).Select(_ => new Shard(now))];
    }

    /// <inheritdoc/>
    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => new(Read(key));

    /// <inheritdoc/>
    /// <exception cref="SessionStoreFullException">
    /// The store is full of sessions that have not expired. While it is full, it looks for expired ones once a second at the most.
    /// </exception>
    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var shard = ShardOf(key);
        do
        {
            lock (shard.Gate)
            {
                if (shard.Records.ContainsKey(key)) return new(false);
                if (Interlocked.Increment(ref _count) <= _maxSessions)
                {
                    Label(key, record.Labels, except: []);
                    shard.Records.Add(key, record.HeldAs(record.ExpiresAt, NextVersion()));
                    shard.File(key, record.ExpiresAt);
                    return new(true);
                }
                Interlocked.Decrement(ref _count);
            }
        }
        while (MakeRoom());
        throw new SessionStoreFullException(_maxSessions);
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        var shard = ShardOf(key);
        lock (shard.Gate)
        {
            ref var stored = ref shard.Records.GetRefOrNull(key);
            if (Unsafe.IsNullRef(ref stored)) return new(WriteResult.Gone);
            if (stored.Version != current.Version) return new(WriteResult.Conflict(stored));
            return new(WriteResult.Done(Replace(shard, key, ref stored, next.HeldAs(next.ExpiresAt, NextVersion()))));
        }
    }

    /// <summary>As <see cref="ReplaceAsync"/> for a record that nobody else has seen, and that becomes the store's own.</summary>
    /// <returns>False where another record is there, or none.</returns>
    internal bool TryReplaceHeld(string key, SessionRecord current, SessionRecord next)
    {
        var shard = ShardOf(key);
        lock (shard.Gate)
        {
            ref var stored = ref shard.Records.GetRefOrNull(key);
            if (Unsafe.IsNullRef(ref stored) || !ReferenceEquals(stored, current)) return false;
            next.HoldAs(NextVersion());
            Replace(shard, key, ref stored, next);
            return true;
        }
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        var shard = ShardOf(key);
        lock (shard.Gate)
        {
            ref var stored = ref shard.Records.GetRefOrNull(key);
            if (Unsafe.IsNullRef(ref stored)) return new(WriteResult.Gone);
            if (stored.Version != current.Version) return new(WriteResult.Conflict(stored));
            return new(WriteResult.Done(Replace(shard, key, ref stored, stored.HeldAs(expiresAt, stored.Version))));
        }
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        var shard = ShardOf(key);
        lock (shard.Gate)
        {
            if (!shard.Records.TryGetValue(key, out var stored)) return new(WriteResult.Gone);
            if (current is not null && stored.Version != current.Version) return new(WriteResult.Conflict(stored));
            Remove(shard, key, stored);
            return new(WriteResult.Done());
        }
    }

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">The token was cancelled between two batches; what was deleted by then stays deleted.</exception>
    public ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        _subjects.Prune(now);
        lock (_pruning) return new(Prune(now, cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        List<KeyValuePair<string, SessionRecord>> found = [];
        foreach (var key in _labels.KeysOf(label))
        {
            if (Read(key) is { } record && record.Labels.Contains(label)) found.Add(new(key, record));
        }
        return new(found);
    }

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        // The smallest keys seen so far, the greatest of them on top, to be thrown out by a smaller one.
        var page = new PriorityQueue<SessionRecord, string>(limit, Comparer<string>.Create((left, right) => string.CompareOrdinal(right, left)));
        foreach (var shard in _shards)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (shard.Gate)
            {
                foreach (var (key, record) in shard.Records)
                {
                    if (afterKey is not null && string.CompareOrdinal(key, afterKey) <= 0) continue;
                    if (page.Count < limit) page.Enqueue(record, key);
                    else page.EnqueueDequeue(record, key);
                }
            }
        }
        var inOrder = new KeyValuePair<string, SessionRecord>[page.Count];
        while (page.TryDequeue(out var record, out var key)) inOrder[page.Count] = new(key, record);
        return new(inOrder);
    }

    /// <inheritdoc/>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => new(_shards.Sum(shard => shard.Count));

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        var deleted = 0L;
        foreach (var key in _labels.KeysOf(label))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var shard = ShardOf(key);
            lock (shard.Gate)
            {
                if (!shard.Records.TryGetValue(key, out var stored) || !stored.Labels.Contains(label)) continue;
                Remove(shard, key, stored);
                deleted++;
            }
        }
        return new(deleted);
    }

    /// <inheritdoc/>
    public ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return new(_subjects.Read(subject));
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReplaceSubjectAsync(string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return new(_subjects.Replace(subject, current, next, keepUntil));
    }

    private static SessionVersion NextVersion() => new(Interlocked.Increment(ref _lastVersion));

    private Shard ShardOf(string key) => _shards[(uint)KeyHash.Of(key) % ShardCount];

    private SessionRecord? Read(string key)
    {
        var shard = ShardOf(key);
        lock (shard.Gate) return shard.Records.GetValueOrDefault(key);
    }

    /// <summary>Puts a record in place of the one that is there; the caller holds the shard.</summary>
    private SessionRecord Replace(Shard shard, string key, ref SessionRecord stored, SessionRecord next)
    {
        var before = stored;
        Label(key, next.Labels, except: before.Labels);
        before.MarkGone();
        stored = next;
        Unlabel(key, before.Labels, except: next.Labels);
        shard.Refile(key, before.ExpiresAt, next.ExpiresAt);
        return next;
    }

    /// <summary>Deletes a record; the caller holds the shard.</summary>
    private void Remove(Shard shard, string key, SessionRecord stored)
    {
        stored.MarkGone();
        shard.Records.Remove(key);
        Unlabel(key, stored.Labels, except: []);
        Interlocked.Decrement(ref _count);
    }

    private void Label(string key, ImmutableArray<string> labels, ImmutableArray<string> except)
    {
        foreach (var label in labels)
        {
            if (!except.Contains(label)) _labels.Add(label, key);
        }
    }

    private void Unlabel(string key, ImmutableArray<string> labels, ImmutableArray<string> except)
    {
        foreach (var label in labels)
        {
            if (!except.Contains(label)) _labels.Remove(label, key);
        }
    }

    /// <summary>Whether a place is free, if need be after what has expired was pruned: once a second, or a full store would do nothing else.</summary>
    private bool MakeRoom()
    {
        lock (_pruning)
        {
            if (Volatile.Read(ref _count) < _maxSessions) return true;
            if (_madeRoomAt is { } last && _timeProvider.GetElapsedTime(last) < TimeSpan.FromSeconds(1)) return false;
            _madeRoomAt = _timeProvider.GetTimestamp();
            return Prune(_timeProvider.GetUtcNow(), CancellationToken.None) > 0;
        }
    }

    private long Prune(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        foreach (var shard in _shards)
        {
            List<string> due;
            lock (shard.Gate) due = shard.Expiry.TakeDue(now);
            for (var done = 0; done < due.Count; done += PruneBatch)
            {
                var batch = CollectionsMarshal.AsSpan(due)[done..Math.Min(done + PruneBatch, due.Count)];
                var stop = cancellationToken.IsCancellationRequested;
                lock (shard.Gate)
                {
                    foreach (var key in batch)
                    {
                        if (!shard.Records.TryGetValue(key, out var stored)) continue;
                        if (stop || stored.ExpiresAt > now)
                        {
                            shard.Expiry.File(key, stored.ExpiresAt);
                        }
                        else
                        {
                            Remove(shard, key, stored);
                            deleted++;
                        }
                    }
                }
            }
            cancellationToken.ThrowIfCancellationRequested();
        }
        return deleted;
    }

    private sealed class Shard(DateTimeOffset now)
    {
        public Lock Gate { get; } = new();

        public PartedDictionary<SessionRecord> Records { get; } = new();

        public ExpiryWheel Expiry { get; } = new(now);

        public long Count
        {
            get
            {
                lock (Gate) return Records.Count;
            }
        }

        public void Refile(string key, DateTimeOffset from, DateTimeOffset to)
        {
            if (ExpiryWheel.MovesForward(from, to)) File(key, to);
        }

        /// <summary>Files a key; the wheel is filed anew once keys that were deleted or filed twice are more than half of it.</summary>
        public void File(string key, DateTimeOffset expiresAt)
        {
            Expiry.File(key, expiresAt);
            if (Expiry.Count <= (2 * Records.Count) + 64) return;
            Expiry.Clear();
            foreach (var (live, record) in Records) Expiry.File(live, record.ExpiresAt);
        }
    }
}
