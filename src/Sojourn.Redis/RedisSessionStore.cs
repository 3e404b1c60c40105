using System.Security.Cryptography;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>Keeps sessions in Redis 6.2 or later, standalone, behind Sentinel or as a cluster: one string a session, which Redis drops by itself.</summary>
/// <remarks>
/// <para>Thread-safe. A read is one GET; a write is one script on the one key of the session, so that no command crosses a cluster's slots.</para>
/// <para>Labels are sorted sets beside the records: an entry is written before the record and removed after it, and one that points to nothing is
/// removed when it is read. What the driver throws is thrown; a call whose answer was lost may have taken effect.</para>
/// </remarks>
public sealed class RedisSessionStore : ISessionStore, ISessionIndex, IAsyncDisposable
{
    /// <summary>An entry of a label that is younger may belong to a record that is just being written.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMinutes(10);

    private readonly RedisConnection _connection;
    private readonly string _prefix;
    private readonly TimeProvider _time;

    internal RedisSessionStore(RedisConnection connection, RedisSessionStoreOptions options, TimeProvider time)
    {
        if (!options.IsValid)
        {
            throw new ArgumentException(RedisSessionStoreOptions.Rule, nameof(options));
        }

        _connection = connection;
        _prefix = options.KeyPrefix;
        _time = time;
    }

    /// <summary>Makes a store on a connection of the application's own.</summary>
    /// <param name="connection">The connection; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What labels are aged by; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public RedisSessionStore(IConnectionMultiplexer connection, RedisSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(new RedisConnection(connection), options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        var database = await DatabaseAsync(key, cancellationToken).ConfigureAwait(false);
        return (byte[]?)await database.StringGetAsync(RecordKey(key)).WaitAsync(cancellationToken).ConfigureAwait(false) is { } value ? RecordFormat.Read(value) : null;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var database = await DatabaseAsync(key, cancellationToken).ConfigureAwait(false);
        await AddLabelsAsync(database, key, record, cancellationToken).ConfigureAwait(false);
        return await database.StringSetAsync(RecordKey(key), RecordFormat.Write(record, NewVersion()), new Expiration(DropAt(record.ExpiresAt).UtcDateTime), ValueCondition.NotExists)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        var database = await DatabaseAsync(key, cancellationToken).ConfigureAwait(false);
        var (before, version) = (_time.GetUtcNow(), NewVersion());
        await AddLabelsAsync(database, key, next, cancellationToken).ConfigureAwait(false);
        var result = await RunAsync(database, Scripts.Replace, key, next.WithVersion(new SessionVersion(version)), cancellationToken,
            RecordFormat.Head(current.Version), RecordFormat.Write(next, version), DropAt(next.ExpiresAt).ToUnixTimeMilliseconds()).ConfigureAwait(false);
        if (result.Outcome == WriteOutcome.Done)
        {
            await RemoveLabelsAsync(database, key, current.Labels.Except(next.Labels, StringComparer.Ordinal), before, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        var database = await DatabaseAsync(key, cancellationToken).ConfigureAwait(false);
        await KeepLabelsAsync(database, current, expiresAt, cancellationToken).ConfigureAwait(false);
        return await RunAsync(database, Scripts.Touch, key, current.WithExpiry(expiresAt), cancellationToken,
            RecordFormat.Head(current.Version), RecordFormat.Expiry(expiresAt), DropAt(expiresAt).ToUnixTimeMilliseconds()).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        var database = await DatabaseAsync(key, cancellationToken).ConfigureAwait(false);
        var before = _time.GetUtcNow();
        if (current is not null)
        {
            var result = await RunAsync(database, Scripts.Delete, key, null, cancellationToken, RecordFormat.Head(current.Version)).ConfigureAwait(false);
            if (result.Outcome == WriteOutcome.Done)
            {
                await RemoveLabelsAsync(database, key, current.Labels, before, cancellationToken).ConfigureAwait(false);
            }

            return result;
        }

        if ((byte[]?)await database.StringGetDeleteAsync(RecordKey(key)).WaitAsync(cancellationToken).ConfigureAwait(false) is not { } value)
        {
            return WriteResult.Gone;
        }

        await RemoveLabelsAsync(database, key, RecordFormat.Read(value).Labels, before, cancellationToken).ConfigureAwait(false);
        return WriteResult.Done();
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        var database = await DatabaseAsync(label, cancellationToken).ConfigureAwait(false);
        var entries = await database.SortedSetRangeByRankWithScoresAsync(LabelKey(label)).WaitAsync(cancellationToken).ConfigureAwait(false);
        var records = await Task.WhenAll(entries.Select(entry => ReadAsync(entry.Element!, cancellationToken).AsTask())).ConfigureAwait(false);
        var found = new List<KeyValuePair<string, SessionRecord>>();
        var settled = _time.GetUtcNow() - Settled;
        for (var i = 0; i < entries.Length; i++)
        {
            if (records[i] is { } record && record.Labels.Contains(label, StringComparer.Ordinal))
            {
                found.Add(new(entries[i].Element!, record));
            }
            else if (entries[i].Score <= settled.ToUnixTimeMilliseconds())
            {
                await RemoveLabelsAsync(database, entries[i].Element!, [label], settled, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Closes the connection, if the store made it itself.</summary>
    /// <returns>When it is closed.</returns>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static long NewVersion()
    {
        // Random, so that no version is given twice to a key, whoever writes it.
        Span<byte> random = stackalloc byte[8];
        RandomNumberGenerator.Fill(random);
        return BitConverter.ToInt64(random);
    }

    private static bool IsRecordKey(string key) => !key.StartsWith("label:", StringComparison.Ordinal);

    /// <summary>Redis only cleans up: a little after the session has ended, and not all at once.</summary>
    private DateTimeOffset DropAt(DateTimeOffset expiresAt)
    {
        var now = _time.GetUtcNow();
        return (expiresAt > now ? expiresAt : now) + TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(60_000, 120_000));
    }

    private RedisKey RecordKey(string key) => _prefix + key;

    private RedisKey LabelKey(string label) => _prefix + "label:" + label;

    private ValueTask<IDatabase> DatabaseAsync(string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);
        cancellationToken.ThrowIfCancellationRequested();
        return _connection.DatabaseAsync(cancellationToken);
    }

    private async ValueTask<WriteResult> RunAsync(IDatabase database, string script, string key, SessionRecord? done, CancellationToken cancellationToken, params RedisValue[] arguments)
    {
        var result = await database.ScriptEvaluateAsync(script, [RecordKey(key)], arguments).WaitAsync(cancellationToken).ConfigureAwait(false);
        return result.Resp2Type == ResultType.BulkString ? WriteResult.Conflict(RecordFormat.Read((byte[])result!))
            : (long)result == 1 ? WriteResult.Done(done)
            : WriteResult.Gone;
    }

    private async ValueTask AddLabelsAsync(IDatabase database, string key, SessionRecord record, CancellationToken cancellationToken)
    {
        if (record.Labels.IsEmpty)
        {
            return;
        }

        // Sent one after the other and awaited together: commands on one key keep their order.
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var added = Task.WhenAll(record.Labels.Select(label => database.SortedSetAddAsync(LabelKey(label), key, now)));
        await KeepLabelsAsync(database, record, record.ExpiresAt, cancellationToken).ConfigureAwait(false);
        await added.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A label lives longer than every record that bears it.</summary>
    private async ValueTask KeepLabelsAsync(IDatabase database, SessionRecord record, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        if (record.Labels.IsEmpty)
        {
            return;
        }

        var until = (DropAt(expiresAt) + TimeSpan.FromHours(1)).UtcDateTime;
        await Task.WhenAll(record.Labels.SelectMany(label => (Task[])
        [
            database.KeyExpireAsync(LabelKey(label), until, ExpireWhen.HasNoExpiry),
            database.KeyExpireAsync(LabelKey(label), until, ExpireWhen.GreaterThanCurrentExpiry),
        ])).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask RemoveLabelsAsync(IDatabase database, string key, IEnumerable<string> labels, DateTimeOffset addedBefore, CancellationToken cancellationToken)
    {
        foreach (var label in labels)
        {
            await database.ScriptEvaluateAsync(Scripts.RemoveOlder, [LabelKey(label)], [key, addedBefore.ToUnixTimeMilliseconds()]).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
