using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using NpgsqlTypes;
using Sojourn.Storage;
using static Sojourn.PostgreSql.PostgreSqlDatabase;

namespace Sojourn.PostgreSql;

/// <summary>Keeps sessions in a table of PostgreSQL 13 or later.</summary>
/// <remarks>
/// <para>Thread-safe. Each verb is one statement; a second one tells a conflict from a record that is gone. Tables are made or checked when the application
/// starts, or by the first call.</para>
/// <para>What the driver throws is thrown; a call whose answer was lost may have taken effect.</para>
/// </remarks>
public sealed partial class PostgreSqlSessionStore : ISessionStore, ISessionIndex, IExpiringStore, ISchemaStore, IAsyncDisposable
{
    private const int PruneBatch = 256;

    /// <summary>The order is what <see cref="ToRecord"/> reads.</summary>
    private const string Columns = "document, expires, labels, version, key";

    private readonly PostgreSqlDatabase _database;
    private readonly PostgreSqlListener? _listener;
    private readonly string _sessions;
    private readonly string _subjects;
    private readonly string _leases;
    private readonly string _tellChanged;
    private readonly string _tellEnded;

    internal PostgreSqlSessionStore(NpgsqlDataSource source, bool isOwn, PostgreSqlSessionStoreOptions options, TimeProvider time)
    {
        var script = PostgreSqlSchema.Script(options);
        string Name(string name) => $"{SqlName.Quoted(options.SchemaName)}.{SqlName.Quoted(options.TablePrefix + name)}";
        (_sessions, _subjects, _leases) = (Name("sessions"), Name("subjects"), Name("leases"));
        _database = new PostgreSqlDatabase(source, isOwn,
            [(_sessions, Columns + ", due, label_hashes"), (_subjects, "subject, entry, keep_until"), (_leases, "key, owner, until")], script,
            options.CreateSchema);

        // In the statement of the write itself, and so only if it takes effect.
        var channel = $"{options.SchemaName}.{options.TablePrefix}sessions";
        (_tellChanged, _tellEnded) = options.Notifications
            ? ($" RETURNING pg_notify({SqlName.Literal(channel)}, '{PostgreSqlListener.Changed}' || version || ':' || key)",
                $" RETURNING pg_notify({SqlName.Literal(channel)}, '{PostgreSqlListener.Ended}' || key)")
            : ("", "");
        _listener = options.Notifications ? new PostgreSqlListener(source, channel, time) : null;
    }

    /// <summary>Makes a store on the application's own data source.</summary>
    /// <param name="dataSource">Where connections come from; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What waits between attempts to listen are measured by; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public PostgreSqlSessionStore(NpgsqlDataSource dataSource, PostgreSqlSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(dataSource, isOwn: false, options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken) => _database.EnsureSchemaAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var rows = await _database.QueryAsync(
            $"SELECT {Columns} FROM {_sessions} WHERE key = $1", ToRecord, cancellationToken, Parameter(key)).ConfigureAwait(false);
        return rows.Count == 0 ? null : rows[0].Value;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        return await _database.ExecuteAsync(
            $"INSERT INTO {_sessions} (key, version, expires, due, labels, label_hashes, document) VALUES ($1, $2, $3, $3, $4, $5, $6) "
            + "ON CONFLICT (key) DO NOTHING", cancellationToken,
            Parameter(key), Parameter(SessionVersion.NewRandom().Number), Parameter(Milliseconds(record.ExpiresAt)), Labels(record), Hashes(record),
            Parameter(record.Document)).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        // Drawn by chance, since a standby that takes over without the last writes would count to the same number again.
        var version = SessionVersion.NewRandom();
        return await ChangedOneAsync(
            $"UPDATE {_sessions} SET version = $7, expires = $3, due = LEAST(due, $3), labels = $4, label_hashes = $5, document = $6 "
            + $"WHERE key = $1 AND version = $2{_tellChanged}", cancellationToken,
            Parameter(key), Parameter(current.Version.Number), Parameter(Milliseconds(next.ExpiresAt)), Labels(next), Hashes(next), Parameter(next.Document),
            Parameter(version.Number)).ConfigureAwait(false)
            ? WriteResult.Done(next.WithVersion(version))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        return await _database.ExecuteAsync($"UPDATE {_sessions} SET expires = $3, due = LEAST(due, $3) WHERE key = $1 AND version = $2", cancellationToken,
            Parameter(key), Parameter(current.Version.Number), Parameter(Milliseconds(expiresAt))).ConfigureAwait(false) == 1
            ? WriteResult.Done(current.WithExpiry(expiresAt))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (current is null)
        {
            return await ChangedOneAsync($"DELETE FROM {_sessions} WHERE key = $1{_tellEnded}", cancellationToken, Parameter(key)).ConfigureAwait(false)
                ? WriteResult.Done()
                : WriteResult.Gone;
        }

        return await ChangedOneAsync(
            $"DELETE FROM {_sessions} WHERE key = $1 AND version = $2{_tellEnded}", cancellationToken, Parameter(key),
            Parameter(current.Version.Number)).ConfigureAwait(false)
            ? WriteResult.Done()
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        return await _database.QueryAsync($"SELECT {Columns} FROM {_sessions} WHERE label_hashes @> $1 AND $2 = ANY (labels)", ToRecord, cancellationToken,
            Parameter<long[]>([Hash(label)]), Parameter(label)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        return await _database.QueryAsync($"SELECT {Columns} FROM {_sessions} WHERE key > $1 ORDER BY key LIMIT $2", ToRecord, cancellationToken,
            Parameter(afterKey ?? ""), Parameter(limit)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>Walks through an index of the table: PostgreSQL keeps no count.</remarks>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        (await _database.QueryAsync($"SELECT count(*) FROM {_sessions}", static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    /// <remarks>All of them in one statement, locked in the order of their keys so that two such calls do not wait for each other in a circle.</remarks>
    public async ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        const string Bears = "label_hashes @> $1 AND $2 = ANY (labels)";
        var sql = $"DELETE FROM {_sessions} WHERE key = ANY (ARRAY(SELECT key FROM {_sessions} WHERE {Bears} ORDER BY key FOR UPDATE)) AND {Bears}";
        NpgsqlParameter[] parameters = [Parameter<long[]>([Hash(label)]), Parameter(label)];
        return _tellEnded.Length == 0
            ? await _database.ExecuteAsync(sql, cancellationToken, parameters).ConfigureAwait(false)
            : (await _database.QueryAsync(sql + _tellEnded, static _ => true, cancellationToken, parameters).ConfigureAwait(false)).Count;
    }

    /// <inheritdoc/>
    /// <remarks>Records that others have locked at the moment are left for the next time.</remarks>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        // Records that have been touched are filed anew; the others have expired.
        var due = $"key = ANY (ARRAY(SELECT key FROM {_sessions} WHERE due <= $1 ORDER BY due LIMIT {PruneBatch} FOR UPDATE SKIP LOCKED))";
        var (total, deleted, refiled) = (0L, 0, 0);
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            refiled = await _database.ExecuteAsync(
                $"UPDATE {_sessions} SET due = expires WHERE {due} AND expires > $1", cancellationToken, Parameter(Milliseconds(now))).ConfigureAwait(false);
            deleted = await _database.ExecuteAsync(
                $"DELETE FROM {_sessions} WHERE {due} AND expires <= $1", cancellationToken, Parameter(Milliseconds(now))).ConfigureAwait(false);
            total += deleted;
        }
        while (deleted + refiled >= PruneBatch);

        await _database.ExecuteAsync($"DELETE FROM {_subjects} WHERE keep_until <= $1", cancellationToken, Parameter(Milliseconds(now))).ConfigureAwait(false);
        await _database.ExecuteAsync($"DELETE FROM {_leases} WHERE until <= clock_timestamp()", cancellationToken).ConfigureAwait(false);
        return total;
    }

    /// <summary>Stops listening, and closes the connections if the store made them itself.</summary>
    /// <returns>When they are closed.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_listener is not null)
        {
            await _listener.DisposeAsync().ConfigureAwait(false);
        }

        await _database.DisposeAsync().ConfigureAwait(false);
    }

    private static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    private static long Hash(string label) => BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(label)));

    private static NpgsqlParameter Labels(SessionRecord record) =>
        new()
        {
            Value = record.Labels.IsEmpty ? DBNull.Value : ImmutableCollectionsMarshal.AsArray(record.Labels)!,
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
        };

    private static NpgsqlParameter Hashes(SessionRecord record) =>
        new() { Value = record.Labels.IsEmpty ? DBNull.Value : record.Labels.Select(Hash).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint };

    private static KeyValuePair<string, SessionRecord> ToRecord(NpgsqlDataReader row) => new(row.GetString(4), new SessionRecord(
        row.GetFieldValue<byte[]>(0),
        DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1)),
        row.IsDBNull(2) ? [] : ImmutableCollectionsMarshal.AsImmutableArray(row.GetFieldValue<string[]>(2)),
        new SessionVersion(row.GetInt64(3))));

    /// <summary>A statement that tells of what it did returns a row for each record; others count.</summary>
    private async ValueTask<bool> ChangedOneAsync(string sql, CancellationToken cancellationToken, params NpgsqlParameter[] parameters) => _listener is null
        ? await _database.ExecuteAsync(sql, cancellationToken, parameters).ConfigureAwait(false) == 1
        : (await _database.QueryAsync(sql, static _ => true, cancellationToken, parameters).ConfigureAwait(false)).Count == 1;

    private async ValueTask<WriteResult> ConflictOrGoneAsync(string key, CancellationToken cancellationToken) =>
        await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh) : WriteResult.Gone;
}
