using System.Globalization;
using MySqlConnector;
using Sojourn.Storage;

namespace Sojourn.MySql;

/// <summary>
/// Keeps sessions as express-mysql-session 3 keeps them, so that a running Node application and this one share them: the session's JSON as text beside
/// its id and its expiry in Unix seconds.
/// </summary>
/// <remarks>
/// <para>Thread-safe. A write compares the stored text with the one that was read. Among Sojourn's writers no change is lost and nothing revived; a Node
/// application writes over whatever is there, as it always did.</para>
/// <para>The layout has no place for labels: sessions of a user cannot be found in it. What has expired is removed by whole walks through the table, as
/// express-mysql-session does it: its expiry has no index.</para>
/// </remarks>
public sealed class ExpressMySqlSessionStore : ISessionStore, INodeLayout, ISessionIndex, IExpiringStore, ISchemaStore, IAsyncDisposable
{
    /// <summary>How many rows a statement of pruning locks at the most.</summary>
    private const int Batch = 256;

    private const int MaxKeyLength = 128;

    /// <summary>Of a MEDIUMTEXT. Databases that are not strict cut what does not fit.</summary>
    private const int MaxDocumentLength = (1 << 24) - 1;

    private readonly MySqlDatabase _database;
    private readonly ExpressMySqlSessionStoreOptions _options;
    private readonly string _table;
    private readonly string _id;
    private readonly string _expires;
    private readonly string _data;
    private readonly string _content;

    /// <summary>Makes a store on the application's own data source.</summary>
    /// <param name="dataSource">Where connections come from; whoever made it disposes of it. Its options are left as they are.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public ExpressMySqlSessionStore(MySqlDataSource dataSource, ExpressMySqlSessionStoreOptions? options = null)
        : this(schema => new MySqlDatabase(dataSource, schema), options ?? new())
    {
    }

    internal ExpressMySqlSessionStore(Func<SchemaCheck, MySqlDatabase> database, ExpressMySqlSessionStoreOptions options)
    {
        var script = MySqlSchema.Script(options);
        _options = options;
        (_table, _id, _expires, _data) = ($"`{options.TableName}`", $"`{options.SessionIdColumn}`", $"`{options.ExpiresColumn}`", $"`{options.DataColumn}`");

        // The stored text byte for byte, in UTF-8 whatever the column's character set: compared as text, trailing spaces would not count.
        _content = $"CAST(CONVERT(COALESCE({_data}, '') USING utf8mb4) AS BINARY)";
        _database = database(new SchemaCheck(
            $"SELECT {_id}, {_expires}, {_data} FROM {_table} WHERE 1 = 0", Statements.CheckWritesOf(_table, _id), script, [_table],
            options.CreateDatabaseTable));
    }

    /// <inheritdoc/>
    public TimeSpan TimeToLive => _options.TimeToLive;

    /// <inheritdoc/>
    public bool CanTouch => !_options.DisableTouch;

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
        CheckKey(key);
        var rows = await _database.QueryAsync(
            $"SELECT {_id}, {_expires}, {_content} FROM {_table} WHERE {_id} = @key", ToRecord, cancellationToken, ("key", key)).ConfigureAwait(false);
        return rows.Count == 0 ? null : rows[0].Value;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key is longer than the layout's 128 characters, or the document larger than it or the server takes.</exception>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(record);
        await CheckSizeAsync(record, 0, cancellationToken).ConfigureAwait(false);
        try
        {
            await _database.ExecuteAsync(
                $"INSERT INTO {_table} ({_id}, {_expires}, {_data}) VALUES (@key, @expires, CONVERT(@next USING utf8mb4))", cancellationToken,
                ("key", key), ("expires", Seconds(record.ExpiresAt)), ("next", record.Document)).ConfigureAwait(false);
            return true;
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.DuplicateKeyEntry)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than the layout or the server takes: the stored record is unchanged.</exception>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        await CheckSizeAsync(next, 2 * current.Version.Content.Length, cancellationToken).ConfigureAwait(false);
        var changed = await _database.ExecuteAsync(
            $"UPDATE {_table} SET {_expires} = @expires, {_data} = CONVERT(@next USING utf8mb4) WHERE {_id} = @key AND {_content} = @current",
            cancellationToken,
            ("key", key), ("expires", Seconds(next.ExpiresAt)), ("next", next.Document), ("current", current.Version.Content)).ConfigureAwait(false);
        return await ResultAsync(changed, key, current, next.WithVersion(VersionOf(next)), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(current);
        var changed = await _database.ExecuteAsync($"UPDATE {_table} SET {_expires} = @expires WHERE {_id} = @key AND {_content} = @current", cancellationToken,
            ("key", key), ("expires", Seconds(expiresAt)), ("current", current.Version.Content)).ConfigureAwait(false);
        return await ResultAsync(changed, key, current, current.WithExpiry(expiresAt), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        CheckKey(key);
        var deleted = current is null
            ? await _database.ExecuteAsync($"DELETE FROM {_table} WHERE {_id} = @key", cancellationToken, ("key", key)).ConfigureAwait(false)
            : await _database.ExecuteAsync($"DELETE FROM {_table} WHERE {_id} = @key AND {_content} = @current", cancellationToken,
                ("key", key), ("current", current.Version.Content)).ConfigureAwait(false);
        return deleted > 0 ? WriteResult.Done()
            : current is not null && await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh)
            : WriteResult.Gone;
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of express-mysql-session has no labels.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        return await _database.QueryAsync(
            $"SELECT {_id}, {_expires}, {_content} FROM {_table} WHERE {_id} > @after ORDER BY {_id} LIMIT @limit", ToRecord, cancellationToken,
            ("after", afterKey ?? ""), ("limit", limit)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>Walks through an index of the table: InnoDB keeps no count.</remarks>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        (await _database.QueryAsync($"SELECT COUNT(*) FROM {_table}", static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of express-mysql-session has no labels.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    /// <remarks>Finds what has expired without a lock, and locks only that, in the order of ids, to delete what still has expired.</remarks>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        List<string> ids;
        var after = "";
        do
        {
            ids = await _database.QueryAsync(
                $"SELECT {_id} FROM {_table} WHERE {_id} > @after AND {_expires} < @now ORDER BY {_id} LIMIT @limit", static row => row.GetString(0),
                cancellationToken, ("after", after), ("now", Seconds(now)), ("limit", Batch)).ConfigureAwait(false);
            if (ids.Count > 0)
            {
                after = ids[^1];
                var keys = ids.Select(static (id, n) => ("key" + n.ToString(CultureInfo.InvariantCulture), (object?)id));
                deleted += await _database.ExecuteTogetherAsync(
                    Statements.ForEach(ids.Count, n => $"DELETE FROM {_table} WHERE {_id} = @key{n} AND {_expires} < @now;"), cancellationToken,
                    [("now", Seconds(now)), .. keys]).ConfigureAwait(false);
            }
        }
        while (ids.Count == Batch);
        return deleted;
    }

    /// <summary>Closes the connections, if the store made them itself.</summary>
    /// <returns>When they are closed.</returns>
    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private static NotSupportedException NoLabels() =>
        new("The layout of express-mysql-session has no place for labels, so sessions cannot be found by user in it. UseMySql() has one.");

    private static void CheckKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Length > MaxKeyLength)
        {
            throw new ArgumentException("The layout of express-mysql-session files sessions under ids of 128 characters or fewer.", nameof(key));
        }
    }

    /// <summary>To the nearest, as express-mysql-session rounds; within what an unsigned INT holds.</summary>
    private static long Seconds(DateTimeOffset time) => Math.Clamp((long)Math.Floor((time.ToUnixTimeMilliseconds() + 500) / 1000.0), 0, uint.MaxValue);

    private static KeyValuePair<string, SessionRecord> ToRecord(MySqlDataReader row)
    {
        var content = row.GetFieldValue<byte[]>(2);
        return new(row.GetString(0), new SessionRecord(content, DateTimeOffset.FromUnixTimeSeconds(row.GetInt64(1)), version: new SessionVersion(content)));
    }

    private ValueTask CheckSizeAsync(SessionRecord record, int besides, CancellationToken cancellationToken) => record.Document.Length > MaxDocumentLength
        ? throw new ArgumentException(
            $"The layout of express-mysql-session takes documents of {MaxDocumentLength:N0} bytes or fewer, and this one has {record.Document.Length:N0}.",
            nameof(record))
        : _database.CheckSizeAsync(record, besides, cancellationToken);

    /// <summary>A connection that counts changed rows counts none where nothing was to be changed: that is done, not a conflict.</summary>
    private async ValueTask<WriteResult> ResultAsync(
        int changed, string key, SessionRecord current, SessionRecord asked, CancellationToken cancellationToken) =>
        changed > 0 ? WriteResult.Done(asked)
        : await ReadAsync(key, cancellationToken).ConfigureAwait(false) is not { } fresh ? WriteResult.Gone
        : fresh.Version == current.Version && asked.Version == current.Version && Seconds(fresh.ExpiresAt) == Seconds(asked.ExpiresAt) ? WriteResult.Done(asked)
        : WriteResult.Conflict(fresh);
}
