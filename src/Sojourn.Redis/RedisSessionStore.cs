using System.Buffers;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>Keeps sessions in Redis 6.2 or later, standalone, behind Sentinel or as a cluster: one string a session, which Redis drops by itself.</summary>
/// <remarks>
/// <para>Thread-safe. A read is one GET; a write is one script on the one key of the session, so that no command crosses a cluster's slots.</para>
/// <para>Labels are sorted sets beside the records: an entry is written before the record and removed after it, and one that points to nothing is
/// removed when it is read. What the driver throws is thrown; a call whose answer was lost may have taken effect.</para>
/// </remarks>
public sealed class RedisSessionStore : ISessionStore, ISessionIndex, ISubjectRegistry, ISessionLease, ISessionNotifications, IAsyncDisposable
{
    private readonly RedisConnection _connection;
    private readonly RedisSessionStoreOptions _options;
    private readonly string _prefix;
    private readonly TimeProvider _time;
    private readonly RedisLabels _labels;

    internal RedisSessionStore(RedisConnection connection, RedisSessionStoreOptions options, TimeProvider time)
    {
        if (!options.IsValid)
        {
            throw new ArgumentException(RedisSessionStoreOptions.Rule, nameof(options));
        }

        (_connection, _options, _prefix, _time) = (connection, options, options.KeyPrefix, time);
        _labels = new RedisLabels(connection, _prefix, time);
    }

    /// <summary>Makes a store on a connection of the application's own.</summary>
    /// <param name="connection">The connection; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What labels are aged by; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">
    /// An option is out of its range, or <see cref="RedisSessionStoreOptions.WaitForReplicas"/> is set, which needs a connection of the store's own.
    /// </exception>
    public RedisSessionStore(IConnectionMultiplexer connection, RedisSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(new RedisConnection(connection, options?.WaitForReplicas ?? 0), options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public T? As<T>()
        where T : class => typeof(T) == typeof(ISessionNotifications) && !_options.Notifications ? null : this as T;

    /// <inheritdoc/>
    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _connection.GetAsync(RecordKey(key), RecordFormat.Read, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        var version = SessionVersion.NewRandom();
        await AddLabelsAsync(key, null, record, cancellationToken).ConfigureAwait(false);
        var value = RecordFormat.Rent(record, version.Number);
        var result = await _connection.WriteAsync(
            Scripts.Create, RecordKey(key), [Bytes(value), DropAt(record.ExpiresAt, version.Number)], cancellationToken).ConfigureAwait(false);
        Return(value);
        return (long)result == 1;
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        return current.Labels.IsEmpty && next.Labels.IsEmpty
            ? ReplaceRecordAsync(key, current, next, cancellationToken)
            : ReplaceWithLabelsAsync(key, current, next, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        var next = current.WithExpiry(expiresAt);
        await AddLabelsAsync(key, current, next, cancellationToken).ConfigureAwait(false);
        RedisValue[] arguments = [RecordFormat.Head(current.Version), RecordFormat.Expiry(expiresAt), DropAt(expiresAt, current.Version.Number)];
        return Outcome(await _connection.WriteAsync(Scripts.Touch, RecordKey(key), arguments, cancellationToken).ConfigureAwait(false), next);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var (before, news) = (_time.GetUtcNow(), News(key, changedTo: null));
        if (current is null)
        {
            var value = (byte[]?)await _connection.WriteAsync(
                Scripts.Take, RecordKey(key), [RecordFormat.Mark, .. news], cancellationToken).ConfigureAwait(false);
            if (value is null)
            {
                return WriteResult.Gone;
            }

            await _labels.RemoveAsync(key, RedisLabels.Before(RecordFormat.Read(value).Labels, before), cancellationToken).ConfigureAwait(false);
            return WriteResult.Done();
        }

        var result = Outcome(
            await _connection.WriteAsync(
                Scripts.Delete, RecordKey(key), [RecordFormat.Head(current.Version), .. news], cancellationToken).ConfigureAwait(false), done: null);
        if (result.Outcome == WriteOutcome.Done)
        {
            await _labels.RemoveAsync(key, RedisLabels.Before(current.Labels, before), cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        var entries = await _labels.ReadAsync(label, cancellationToken).ConfigureAwait(false);
        var records = await Task.WhenAll(entries.Select(entry => ReadAsync(entry.Element!, cancellationToken).AsTask())).ConfigureAwait(false);
        var found = new List<KeyValuePair<string, SessionRecord>>();
        for (var i = 0; i < entries.Length; i++)
        {
            if (records[i] is { } record && record.Labels.Contains(label, StringComparer.Ordinal))
            {
                found.Add(new(entries[i].Element!, record));
            }
            else
            {
                await _labels.RepairAsync(label, entries[i], cancellationToken).ConfigureAwait(false);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    /// <remarks>Redis has no order of keys: each page looks at the names of all sessions.</remarks>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
        _connection.PageAsync(_prefix, IsRecordKey, ReadAsync, afterKey, limit, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Looks at the names of all sessions.</remarks>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => _connection.CountAsync(_prefix, IsRecordKey, cancellationToken);

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
                record = result.Record;
            }
        }

        return deleted;
    }

    /// <inheritdoc/>
    public ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return _connection.GetAsync(SubjectKey(subject), static entry => entry, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReplaceSubjectAsync(
        string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return (long)await _connection.WriteAsync(
            Scripts.ReplaceSubject, SubjectKey(subject), [current is null ? 0 : 1, current ?? [], next, DropAt(keepUntil, SessionVersion.NewRandom().Number)],
            cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentException.ThrowIfNullOrEmpty(owner);
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.FromMilliseconds(1));
        return (long)await _connection.RunAsync(
            Scripts.TakeLease, LeaseKey(key), [owner, (long)duration.TotalMilliseconds], cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentException.ThrowIfNullOrEmpty(owner);
        await _connection.RunAsync(Scripts.ReleaseLease, LeaseKey(key), [owner], cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (!_options.Notifications)
        {
            throw new InvalidOperationException(
                $"The sessions' store does not notify: set {nameof(RedisSessionStoreOptions)}.{nameof(RedisSessionStoreOptions.Notifications)}, in every "
                + "application that writes these sessions.");
        }

        var connection = await _connection.ConnectAsync(cancellationToken).ConfigureAwait(false);
        return await RedisSubscription.OpenAsync(connection, Channel, handler, _time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Closes the connection, if the store made it itself.</summary>
    /// <returns>When it is closed.</returns>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private string Channel => _prefix + "notifications";

    /// <summary>Records are filed under base64url; what is kept beside them has a colon in its name.</summary>
    private static bool IsRecordKey(string key) => !key.Contains(':', StringComparison.Ordinal);

    /// <summary>Redis only cleans up: a little after the session has ended, and not all at once. Milliseconds since 1970.</summary>
    private long DropAt(DateTimeOffset expiresAt, long random)
    {
        var now = _time.GetUtcNow();
        return (expiresAt > now ? expiresAt : now).ToUnixTimeMilliseconds() + 60_000 + ((uint)random % 60_000);
    }

    private RedisKey RecordKey(string key) => _prefix + key;

    private RedisKey SubjectKey(string subject) => _prefix + "subject:" + subject;

    private RedisKey LeaseKey(string key) => _prefix + "lease:" + key;

    /// <summary>What a script tells listeners: channel and message, or nothing.</summary>
    private RedisValue[] News(string key, long? changedTo) => !_options.Notifications ? []
        : [_connection.ChannelPrefix + Channel, changedTo is { } version ? RedisSubscription.Changed(key, version) : RedisSubscription.Ended(key)];

    private async ValueTask<WriteResult> ReplaceRecordAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        var version = SessionVersion.NewRandom();
        var (value, done) = (RecordFormat.Rent(next, version.Number), next.WithVersion(version));
        RedisValue[] arguments =
        [
            RecordFormat.Head(current.Version), Bytes(value), DropAt(next.ExpiresAt, version.Number), .. News(key, changedTo: version.Number),
        ];
        var result = await _connection.WriteAsync(Scripts.Replace, RecordKey(key), arguments, cancellationToken).ConfigureAwait(false);
        Return(value);
        return Outcome(result, done);
    }

    private async ValueTask<WriteResult> ReplaceWithLabelsAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        var removed = await _labels.TimesAsync(current.Labels.RemoveRange(next.Labels, StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        await AddLabelsAsync(key, current, next, cancellationToken).ConfigureAwait(false);
        var result = await ReplaceRecordAsync(key, current, next, cancellationToken).ConfigureAwait(false);
        if (result.Outcome == WriteOutcome.Done)
        {
            await _labels.RemoveAsync(key, removed, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    private static RedisValue Bytes(ArraySegment<byte> rented) => (ReadOnlyMemory<byte>)rented;

    /// <summary>Gives back what was sent, once it is answered: before that, and where it failed, the driver may have it still.</summary>
    private static void Return(ArraySegment<byte> rented) => ArrayPool<byte>.Shared.Return(rented.Array!);

    private static WriteResult Outcome(RedisResult result, SessionRecord? done) =>
        result.Resp2Type == ResultType.BulkString ? WriteResult.Conflict(RecordFormat.Read((byte[])result!))
        : (long)result == 1 ? WriteResult.Done(done)
        : WriteResult.Gone;

    private async ValueTask AddLabelsAsync(string key, SessionRecord? current, SessionRecord next, CancellationToken cancellationToken)
    {
        foreach (var crowded in await _labels.AddAsync(key, current, next, cancellationToken).ConfigureAwait(false))
        {
            await FindAsync(crowded, cancellationToken).ConfigureAwait(false);
        }
    }
}
