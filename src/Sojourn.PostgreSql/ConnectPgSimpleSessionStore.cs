using System.Text;
using Npgsql;
using Sojourn.Storage;
using static Sojourn.PostgreSql.PostgreSqlDatabase;

namespace Sojourn.PostgreSql;

/// <summary>
/// Keeps sessions as connect-pg-simple 10 keeps them, so that a running Node application and this one share them: the session's JSON beside its id and its
/// expiry, a timestamp without time zone, which both sides turn into time by the time zone of their connections.
/// </summary>
/// <remarks>
/// <para>Thread-safe. A write compares the stored text with the one that was read. Among Sojourn's writers no change is lost and nothing revived; a Node
/// application writes over whatever is there, as it always did.</para>
/// <para>The layout has no place for labels: sessions of a user cannot be found in it.</para>
/// </remarks>
public sealed class ConnectPgSimpleSessionStore : ISessionStore, INodeLayout, ISessionIndex, IExpiringStore, ISchemaStore, IAsyncDisposable
{
    private const int PruneBatch = 256;

    /// <summary>The stored text, and the expiry by the connection's time zone, as connect-pg-simple compares it.</summary>
    private const string Columns = "sess::text, LEAST(extract(epoch FROM expire::timestamptz) * 1000, 253402300799999)::bigint, sid";

    private readonly PostgreSqlDatabase _database;
    private readonly ConnectPgSimpleSessionStoreOptions _options;
    private readonly string _table;

    internal ConnectPgSimpleSessionStore(NpgsqlDataSource source, bool isOwn, ConnectPgSimpleSessionStoreOptions options)
    {
        var script = PostgreSqlSchema.Script(options);
        (_options, _table) = (options, TableOf(options));
        _database = new PostgreSqlDatabase(source, isOwn, [(_table, "sid, sess, expire")], script, options.CreateTableIfMissing);
    }

    /// <summary>Makes a store on the application's own data source.</summary>
    /// <param name="dataSource">Where connections come from; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public ConnectPgSimpleSessionStore(NpgsqlDataSource dataSource, ConnectPgSimpleSessionStoreOptions? options = null)
        : this(dataSource, isOwn: false, options ?? new())
    {
    }

    /// <inheritdoc/>
    public TimeSpan TimeToLive => _options.TimeToLive;

    /// <inheritdoc/>
    public bool CanTouch => !_options.DisableTouch;

    internal static string TableOf(ConnectPgSimpleSessionStoreOptions options) =>
        options.SchemaName is { } schema ? $"{SqlName.Quoted(schema)}.{SqlName.Quoted(options.TableName)}" : SqlName.Quoted(options.TableName);

    /// <inheritdoc/>
    public SessionVersion VersionOf(SessionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return new SessionVersion(record.Document.ToArray());
    }

    /// <inheritdoc/>
    public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken) => _database.EnsureSchemaAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var rows = await _database.QueryAsync(
            $"SELECT {Columns} FROM {_table} WHERE sid = $1", ToRecord, cancellationToken, Parameter(key)).ConfigureAwait(false);
        return rows.Count == 0 ? null : rows[0].Value;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        return await _database.ExecuteAsync(
            $"INSERT INTO {_table} (sid, sess, expire) VALUES ($1, $2::json, to_timestamp($3)) ON CONFLICT (sid) DO NOTHING", cancellationToken,
            Parameter(key), Parameter(Text(record.Document)), Parameter(Seconds(record.ExpiresAt))).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        return await _database.ExecuteAsync(
            $"UPDATE {_table} SET sess = $3::json, expire = to_timestamp($4) WHERE sid = $1 AND sess::text = $2", cancellationToken,
            Parameter(key), Parameter(Text(current.Version.Content)), Parameter(Text(next.Document)),
            Parameter(Seconds(next.ExpiresAt))).ConfigureAwait(false) == 1
            ? WriteResult.Done(next.WithVersion(VersionOf(next)))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        return await _database.ExecuteAsync($"UPDATE {_table} SET expire = to_timestamp($3) WHERE sid = $1 AND sess::text = $2", cancellationToken,
            Parameter(key), Parameter(Text(current.Version.Content)), Parameter(Seconds(expiresAt))).ConfigureAwait(false) == 1
            ? WriteResult.Done(current.WithExpiry(expiresAt))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (current is null)
        {
            return await _database.ExecuteAsync($"DELETE FROM {_table} WHERE sid = $1", cancellationToken, Parameter(key)).ConfigureAwait(false) == 1
                ? WriteResult.Done()
                : WriteResult.Gone;
        }

        return await _database.ExecuteAsync(
            $"DELETE FROM {_table} WHERE sid = $1 AND sess::text = $2", cancellationToken, Parameter(key),
            Parameter(Text(current.Version.Content))).ConfigureAwait(false) == 1
            ? WriteResult.Done()
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-pg-simple has no labels.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    /// <remarks>The layout's index is in the database's own order: each page sorts the ids that come after.</remarks>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        return await _database.QueryAsync(
            $"SELECT {Columns} FROM {_table} WHERE sid COLLATE \"C\" > $1 ORDER BY sid COLLATE \"C\" LIMIT $2", ToRecord, cancellationToken,
            Parameter(afterKey ?? ""), Parameter(limit)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        (await _database.QueryAsync($"SELECT count(*) FROM {_table}", static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-pg-simple has no labels.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        const string Expired = "expire < to_timestamp($1)";
        var (total, deleted) = (0L, 0);
        do
        {
            deleted = await _database.ExecuteAsync(
                $"DELETE FROM {_table} WHERE sid = ANY (ARRAY("
                + $"SELECT sid FROM {_table} WHERE {Expired} ORDER BY expire LIMIT {PruneBatch} FOR UPDATE SKIP LOCKED)) AND {Expired}",
                cancellationToken, Parameter(Seconds(now))).ConfigureAwait(false);
            total += deleted;
        }
        while (deleted == PruneBatch);
        return total;
    }

    /// <summary>Closes the connections, if the store made them itself.</summary>
    /// <returns>When they are closed.</returns>
    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private static NotSupportedException NoLabels() =>
        new("The layout of connect-pg-simple has no place for labels, so sessions cannot be found by user in it. UsePostgreSql() has one.");

    private static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);

    /// <summary>Rounded up, as connect-pg-simple rounds.</summary>
    private static double Seconds(DateTimeOffset time) => Math.Ceiling(time.ToUnixTimeMilliseconds() / 1000.0);

    private static KeyValuePair<string, SessionRecord> ToRecord(NpgsqlDataReader row)
    {
        var content = Encoding.UTF8.GetBytes(row.GetString(0));
        return new(
            row.GetString(2), new SessionRecord(content, DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1)), version: new SessionVersion(content)));
    }

    private async ValueTask<WriteResult> ConflictOrGoneAsync(string key, CancellationToken cancellationToken) =>
        await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh) : WriteResult.Gone;
}
