using System.Buffers.Binary;

namespace Sojourn.Storage;

/// <summary>
/// Moves sessions from one store to another while they are used, so that nobody is signed out: reads the new store, then the old one; whatever is written or
/// touched is written to the new one and leaves the old.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Any two stores and layouts go together. No change is lost and nothing destroyed comes back among processes that use this store; the new
/// store decides who was first. A session that is destroyed before it has moved leaves an empty record in the new store for ten minutes, so that a request that
/// had read it before cannot bring it back.</para>
/// <para>A process that knows the old store alone does not see sessions that have moved. To change over without stopping, first run all processes
/// with the two stores exchanged (the old one as the new), then all of them this way round.</para>
/// <para>Once every session that had not moved has ended, the new store can be used alone.</para>
/// </remarks>
public sealed class MigratingStore : ISessionStore, ISessionIndex, IExpiringStore, ISchemaStore, IKeyedById, IAsyncDisposable
{
    private static readonly byte[] Tombstone = """{"cookie":{"originalMaxAge":null,"expires":null},"_sojourn_moved_and_gone":true}"""u8.ToArray();
    private static readonly TimeSpan TombstoneLifetime = TimeSpan.FromMinutes(10);

    private readonly ISessionStore _from;
    private readonly ISessionStore _to;
    private readonly TimeProvider _time;
    private readonly bool _isKeyedById;
    private readonly SessionId _ids;

    /// <summary>Makes a store of two.</summary>
    /// <param name="from">The old store. It is disposed of with this one.</param>
    /// <param name="to">The new store. It is disposed of with this one.</param>
    /// <param name="applicationName">
    /// The application's name (<see cref="SojournOptions.ApplicationName"/>), which keys are made with; it counts only between a native layout and that of an
    /// npm store.
    /// </param>
    /// <param name="timeProvider">The system's clock when <see langword="null"/>.</param>
    public MigratingStore(ISessionStore from, ISessionStore to, string applicationName, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(applicationName);
        (_from, _to, _time) = (from, to, timeProvider ?? TimeProvider.System);
        _ids = new SessionId(applicationName);

        // A key can be made of an id, and not the other way: where the two file differently, the engine gives ids.
        _isKeyedById = IsKeyedById(from) != IsKeyedById(to);
    }

    bool IKeyedById.IsKeyedById => _isKeyedById || IsKeyedById(_to);

    /// <inheritdoc/>
    public T? As<T>()
        where T : class
    {
        if (typeof(T) == typeof(ISessionIndex))
        {
            // Keys of two kinds have no common order.
            return !_isKeyedById && _from.As<T>() is not null && _to.As<T>() is not null ? this as T : null;
        }

        if (typeof(T) == typeof(IExpiringStore))
        {
            return (_from.As<T>() ?? _to.As<T>()) is null ? null : this as T;
        }

        if (typeof(T) == typeof(ISessionNotifications))
        {
            // A session that moves is told of by neither store.
            return null;
        }

        return this as T ?? _to.As<T>();
    }

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        if (await _to.ReadAsync(ToKey(key), cancellationToken).ConfigureAwait(false) is { } moved)
        {
            return IsTombstone(moved) ? null : moved;
        }

        if (await _from.ReadAsync(FromKey(key), cancellationToken).ConfigureAwait(false) is { } old)
        {
            return Mark(old);
        }

        // It may have moved between the two readings.
        return await _to.ReadAsync(ToKey(key), cancellationToken).ConfigureAwait(false) is { } late && !IsTombstone(late) ? late : null;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (await _from.ReadAsync(FromKey(key), cancellationToken).ConfigureAwait(false) is not null)
        {
            return false;
        }

        return await _to.CreateAsync(ToKey(key), record, cancellationToken).ConfigureAwait(false)
            || (await _to.ReadAsync(ToKey(key), cancellationToken).ConfigureAwait(false) is { } there
                && IsTombstone(there)
                && (await _to.ReplaceAsync(ToKey(key), there, record, cancellationToken).ConfigureAwait(false)).Outcome == WriteOutcome.Done);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        return IsOld(current)
            ? await MoveAsync(key, current, next, cancellationToken).ConfigureAwait(false)
            : Judge(await _to.ReplaceAsync(ToKey(key), current, next, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    /// <remarks>A session that has not moved moves: a writer that had read it before meets a conflict.</remarks>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        return IsOld(current)
            ? await MoveAsync(key, current, current.WithExpiry(expiresAt), cancellationToken).ConfigureAwait(false)
            : Judge(await _to.TouchAsync(ToKey(key), current, expiresAt, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        if (current is null)
        {
            return await DeleteAnyAsync(key, cancellationToken).ConfigureAwait(false);
        }

        if (IsOld(current))
        {
            // As if it moved, and was gone by then.
            return await MoveAsync(key, current, NewTombstone(current), cancellationToken).ConfigureAwait(false);
        }

        // Should a crash have left the record in the old store when it moved, it must not show up again.
        var left = await _from.DeleteAsync(FromKey(key), null, cancellationToken).ConfigureAwait(false);
        var result = Judge(await _to.DeleteAsync(ToKey(key), current, cancellationToken).ConfigureAwait(false));

        // Whoever was moving it finds it gone from the old store, and takes back what they wrote: it was deleted all the same, and here.
        return result.Outcome == WriteOutcome.Gone && left.Outcome == WriteOutcome.Done ? left : result;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        var found = new List<KeyValuePair<string, SessionRecord>>();
        foreach (var (key, old) in await Index(_from).FindAsync(label, cancellationToken).ConfigureAwait(false))
        {
            if (await _to.ReadAsync(key, cancellationToken).ConfigureAwait(false) is null)
            {
                found.Add(new(key, Mark(old)));
            }
        }

        // The new store is searched last, so that what moves meanwhile is found there.
        var moved = await Index(_to).FindAsync(label, cancellationToken).ConfigureAwait(false);
        found.RemoveAll(old => moved.Any(record => record.Key == old.Key));
        found.AddRange(moved);
        return found;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        var page = new List<KeyValuePair<string, SessionRecord>>();
        while (true)
        {
            // The old store first, so that what moves meanwhile is met in the new one.
            var old = await Index(_from).PageAsync(afterKey, limit, cancellationToken).ConfigureAwait(false);
            var moved = await Index(_to).PageAsync(afterKey, limit, cancellationToken).ConfigureAwait(false);
            var merged = new SortedDictionary<string, SessionRecord>(StringComparer.Ordinal);
            foreach (var (key, record) in old)
            {
                merged[key] = Mark(record);
            }

            foreach (var (key, record) in moved)
            {
                merged[key] = record;
            }

            // Beyond the end of a full page the store behind it may have keys that are not known yet.
            var known = new[] { old, moved }.Where(part => part.Count == limit).Select(part => part[^1].Key).Order(StringComparer.Ordinal).FirstOrDefault();
            foreach (var (key, record) in merged)
            {
                if (known is not null && string.CompareOrdinal(key, known) > 0)
                {
                    break;
                }

                afterKey = key;
                if (!IsTombstone(record))
                {
                    page.Add(new(key, record));
                    if (page.Count == limit)
                    {
                        return page;
                    }
                }
            }

            if (known is null)
            {
                return page;
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>Walks through all records, since some may be in both stores.</remarks>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        var (count, afterKey) = (0L, (string?)null);
        while (true)
        {
            var page = await PageAsync(afterKey, 1_000, cancellationToken).ConfigureAwait(false);
            count += page.Count;
            if (page.Count < 1_000)
            {
                return count;
            }

            afterKey = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        foreach (var (key, found) in await FindAsync(label, cancellationToken).ConfigureAwait(false))
        {
            for (var record = found; record is not null && record.Labels.Contains(label, StringComparer.Ordinal);)
            {
                var result = await DeleteAsync(key, record, cancellationToken).ConfigureAwait(false);
                deleted += result.Outcome == WriteOutcome.Done ? 1 : 0;
                record = result.Outcome == WriteOutcome.Conflict ? result.Record ?? await ReadAsync(key, cancellationToken).ConfigureAwait(false) : null;
            }
        }

        return deleted;
    }

    /// <inheritdoc/>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        await PruneAsync(_from, now, cancellationToken).ConfigureAwait(false) + await PruneAsync(_to, now, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask EnsureSchemaAsync(CancellationToken cancellationToken)
    {
        foreach (var store in (ISessionStore[])[_from, _to])
        {
            if (store.As<ISchemaStore>() is { } schema)
            {
                await schema.EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Disposes of both stores.</summary>
    /// <returns>When it is done.</returns>
    public async ValueTask DisposeAsync()
    {
        foreach (var store in (ISessionStore[])[_to, _from])
        {
            if (store is IAsyncDisposable asyncDisposable)
            {
                await asyncDisposable.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                (store as IDisposable)?.Dispose();
            }
        }
    }

    private static bool IsKeyedById(ISessionStore store) => store.As<INodeLayout>() is not null || store.As<IKeyedById>() is { IsKeyedById: true };

    /// <summary>Whether a record only says that its session ended before it had moved.</summary>
    internal static bool IsTombstone(SessionRecord record) =>
        record.Document.Length < 2 * Tombstone.Length && record.Document.Span.IndexOf("\"_sojourn_moved_and_gone\""u8) > 0;

    private static ISessionIndex Index(ISessionStore store) =>
        store.As<ISessionIndex>() ?? throw new NotSupportedException(
            $"{store.GetType().Name} is no {nameof(ISessionIndex)}, so sessions that move from or to it cannot be listed.");

    private static ValueTask<long> PruneAsync(ISessionStore store, DateTimeOffset now, CancellationToken cancellationToken) =>
        store.As<IExpiringStore>()?.PruneAsync(now, cancellationToken) ?? new(0);

    /// <summary>What the new store found instead may be gone already.</summary>
    private static WriteResult Judge(WriteResult result) =>
        result is { Outcome: WriteOutcome.Conflict, Record: { } fresh } && IsTombstone(fresh) ? WriteResult.Gone : result;

    private static SessionRecord Mark(SessionRecord old) => old.WithVersion(OldVersion.Mark(old.Version));

    private static bool IsOld(SessionRecord record) => OldVersion.IsMarked(record.Version);

    private string ToKey(string key) => _isKeyedById && !IsKeyedById(_to) ? _ids.KeyOf(key) : key;

    private string FromKey(string key) => _isKeyedById && !IsKeyedById(_from) ? _ids.KeyOf(key) : key;

    /// <summary>It outlives the record in the old store, which a failure may leave there.</summary>
    private SessionRecord NewTombstone(SessionRecord old)
    {
        var longEnough = _time.GetUtcNow() + TombstoneLifetime;
        return new(Tombstone, old.ExpiresAt > longEnough ? old.ExpiresAt : longEnough);
    }

    /// <summary>
    /// Writes the new store first, where of several who move a session one comes first, then takes the record out of the old one, if nobody changed it there
    /// meanwhile; or else takes back what was written.
    /// </summary>
    private async ValueTask<WriteResult> MoveAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        var old = current.WithVersion(OldVersion.Unmark(current.Version));
        if (await _from.ReadAsync(FromKey(key), cancellationToken).ConfigureAwait(false) is null
            || !await _to.CreateAsync(ToKey(key), next, cancellationToken).ConfigureAwait(false))
        {
            return await _to.ReadAsync(ToKey(key), cancellationToken).ConfigureAwait(false) switch
            {
                { } there when IsTombstone(there) => WriteResult.Gone,
                { } there => WriteResult.Conflict(there),
                null => WriteResult.Gone,
            };
        }

        var left = await _from.DeleteAsync(FromKey(key), old, cancellationToken).ConfigureAwait(false);
        if (left.Outcome == WriteOutcome.Done)
        {
            return WriteResult.Done();
        }

        // Destroyed meanwhile, or changed by a process that knows only the old store.
        await _to.DeleteAsync(ToKey(key), null, cancellationToken).ConfigureAwait(false);
        return left is { Outcome: WriteOutcome.Conflict, Record: { } fresh } ? WriteResult.Conflict(Mark(fresh)) : left;
    }

    private async ValueTask<WriteResult> DeleteAnyAsync(string key, CancellationToken cancellationToken)
    {
        while (await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } there)
        {
            var result = await DeleteAsync(key, there, cancellationToken).ConfigureAwait(false);
            if (result.Outcome == WriteOutcome.Done)
            {
                return result;
            }
        }

        return WriteResult.Gone;
    }

    /// <summary>Versions of the old store are marked, so that they are told from those of the new one.</summary>
    private static class OldVersion
    {
        private const long Marked = long.MinValue;

        public static SessionVersion Mark(SessionVersion version)
        {
            var content = new byte[8 + version.Content.Length];
            BinaryPrimitives.WriteInt64BigEndian(content, version.Number);
            version.Content.CopyTo(content.AsMemory(8));
            return new SessionVersion(Marked, content);
        }

        public static bool IsMarked(SessionVersion version) => version.Number == Marked && !version.Content.IsEmpty;

        public static SessionVersion Unmark(SessionVersion version) => new(
            BinaryPrimitives.ReadInt64BigEndian(version.Content.Span),
            version.Content.Length > 8 ? version.Content[8..].ToArray() : null);
    }
}
