using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using MySqlConnector;
using Sojourn.Storage;

namespace Sojourn.MySql;

/// <summary>
/// Keeps sessions in MySQL 8 or MariaDB 10.6 or later, in one InnoDB table, with labels, subjects' entries and leases in small ones beside it.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Each verb is one statement in one round trip, those on one row prepared by the first use of a connection; where a record's labels are
/// written it is one transaction in one round trip. What the driver throws is thrown; a call whose answer was lost may have taken effect. Only what the
/// server has rolled back, to end a deadlock or since the row had changed, is run again.</para>
/// <para>All times are numbers of microseconds in UTC: time zones of servers and connections do not count.</para>
/// </remarks>
public sealed partial class MySqlSessionStore : ISessionStore, ISessionIndex, IExpiringStore, ISubjectRegistry, ISessionLease, ISchemaStore, IAsyncDisposable
{
    /// <summary>How many rows a statement locks at the most.</summary>
    private const int Batch = 256;

    private const int MaxKeyLength = 200;

    private readonly MySqlDatabase _database;
    private readonly Statements _sql;

    /// <summary>Makes a store on the application's own data source.</summary>
    /// <param name="dataSource">Where connections come from; whoever made it disposes of it. Its options are left as they are.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public MySqlSessionStore(MySqlDataSource dataSource, MySqlSessionStoreOptions? options = null)
        : this(schema => new MySqlDatabase(dataSource, schema), options ?? new())
    {
    }

    internal MySqlSessionStore(Func<SchemaCheck, MySqlDatabase> database, MySqlSessionStoreOptions options)
    {
        var script = MySqlSchema.Script(options);
        var tables = new Tables(options.TablePrefix);
        _sql = new Statements(tables);
        _database = database(
            new SchemaCheck(_sql.CheckReads, _sql.CheckWrites, script, [tables.Sessions, tables.Labels, tables.Subjects, tables.Leases], options.CreateSchema));
    }

    /// <inheritdoc/>
    public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken) => _database.EnsureSchemaAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        CheckKey(key);
        return (await _database.QueryRowAsync(_sql.Read, ToRecord, cancellationToken, ("key", key)).ConfigureAwait(false)).Value;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than the server takes; or the key is longer than 200 characters, or not ASCII.</exception>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(record);
        var parameters = await ParametersAsync(key, record, SessionVersion.NewRandom(), cancellationToken).ConfigureAwait(false);
        try
        {
            _ = record.Labels.IsEmpty
                ? await _database.ExecuteOnRowAsync(_sql.Create, cancellationToken, parameters).ConfigureAwait(false)
                : await _database.ExecuteTogetherAsync(_sql.Create + _sql.AddLabels(Distinct(record).Length), cancellationToken,
                    [.. parameters, .. LabelParameters(record)]).ConfigureAwait(false);
            return true;
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.DuplicateKeyEntry)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than the server takes: the stored record is unchanged.</exception>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        var version = SessionVersion.NewRandom();
        var parameters = await ParametersAsync(key, next, version, cancellationToken).ConfigureAwait(false);
        parameters = [.. parameters, ("version", current.Version.Number)];
        var changed = current.Labels.SequenceEqual(next.Labels, StringComparer.Ordinal)
            ? await _database.ExecuteOnRowAsync(_sql.Replace, cancellationToken, parameters).ConfigureAwait(false)
            : await _database.ExecuteTogetherAsync(_sql.Replace + _sql.ReplaceLabels(Distinct(next).Length), cancellationToken,
                [.. parameters, .. LabelParameters(next)]).ConfigureAwait(false);
        return changed > 0 ? WriteResult.Done(next.WithVersion(version))
            : await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh)
            : WriteResult.Gone;
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        CheckKey(key);
        ArgumentNullException.ThrowIfNull(current);
        var touched = await _database.ExecuteOnRowAsync(
            _sql.Touch, cancellationToken, ("key", key), ("version", current.Version.Number), ("expires", Microseconds(expiresAt))).ConfigureAwait(false);
        if (touched > 0)
        {
            return WriteResult.Done(current.WithExpiry(expiresAt));
        }

        // No version is ever given twice: one that is there now was there before, and the expiry was what it was to become.
        return await ReadAsync(key, cancellationToken).ConfigureAwait(false) is not { } fresh ? WriteResult.Gone
            : fresh.Version == current.Version ? WriteResult.Done(fresh)
            : WriteResult.Conflict(fresh);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        CheckKey(key);
        var deleted = current is null
            ? await _database.ExecuteAsync(_sql.Delete, cancellationToken, ("key", key)).ConfigureAwait(false)
            : await _database.ExecuteAsync(_sql.DeleteVersion, cancellationToken, ("key", key), ("version", current.Version.Number)).ConfigureAwait(false);
        return deleted > 0 ? WriteResult.Done()
            : current is not null && await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh)
            : WriteResult.Gone;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        return await _database.QueryAsync(_sql.Find, ToRecord, cancellationToken, ("label", LabelsJson.Hash(label))).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        return await _database.QueryAsync(_sql.Page, ToRecord, cancellationToken, ("after", afterKey ?? ""), ("limit", limit)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>Walks through an index of the table: InnoDB keeps no count.</remarks>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        (await _database.QueryAsync(_sql.Count, static row => row.GetInt64(0), cancellationToken).ConfigureAwait(false))[0];

    /// <inheritdoc/>
    /// <remarks>In batches of 256, each of them a transaction.</remarks>
    public async ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        var deleted = 0L;
        List<string> keys;
        var after = "";
        do
        {
            keys = await _database.QueryAsync(_sql.KeysOfLabel, static row => row.GetString(0), cancellationToken,
                ("label", LabelsJson.Hash(label)), ("after", after), ("limit", Batch)).ConfigureAwait(false);
            if (keys.Count > 0)
            {
                after = keys[^1];
                deleted += await _database.TransactAsync(
                    connection => DeleteLabelledAsync(connection, keys, label, cancellationToken), cancellationToken).ConfigureAwait(false);
            }
        }
        while (keys.Count == Batch);
        return deleted;
    }

    /// <summary>Closes the connections, if the store made them itself.</summary>
    /// <returns>When they are closed.</returns>
    public ValueTask DisposeAsync() => _database.DisposeAsync();

    /// <summary>Databases that are not strict cut what does not fit.</summary>
    private static void CheckKey(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Length > MaxKeyLength || !Ascii.IsValid(key))
        {
            throw new ArgumentException("A key must have 200 characters or fewer, of ASCII.", nameof(key));
        }
    }

    private static long Microseconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static DateTimeOffset Time(long microseconds) => DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    private static string[] Distinct(SessionRecord record) => [.. record.Labels.Distinct(StringComparer.Ordinal)];

    private static IEnumerable<(string Name, object? Value)> LabelParameters(SessionRecord record) =>
        Distinct(record).Select(static (label, n) => ("label" + n.ToString(CultureInfo.InvariantCulture), (object?)LabelsJson.Hash(label)));

    private static (string Name, object? Value)[] KeyParameters(IEnumerable<object> keys) =>
        [.. keys.Select(static (key, n) => ("key" + n.ToString(CultureInfo.InvariantCulture), (object?)key))];

    private static KeyValuePair<string, SessionRecord> ToRecord(MySqlDataReader row) => new(
        row.GetString(4),
        new SessionRecord(row.GetFieldValue<byte[]>(0), Time(row.GetInt64(1)), LabelsOf(row, 2), new SessionVersion(row.GetInt64(3))));

    private static ImmutableArray<string> LabelsOf(MySqlDataReader row, int column) => row.IsDBNull(column) ? [] : LabelsJson.Read(row.GetString(column));

    private async ValueTask<(string Name, object? Value)[]> ParametersAsync(
        string key, SessionRecord record, SessionVersion version, CancellationToken cancellationToken)
    {
        var labels = LabelsJson.Write(record.Labels);
        await _database.CheckSizeAsync(record, (8 * (labels?.Length ?? 0)) + (300 * record.Labels.Length), cancellationToken).ConfigureAwait(false);
        return [("key", key), ("next", version.Number), ("expires", Microseconds(record.ExpiresAt)), ("labels", labels), ("document", record.Document)];
    }

    private async Task<long> DeleteLabelledAsync(MySqlConnection connection, List<string> keys, string label, CancellationToken cancellationToken)
    {
        var locked = await MySqlDatabase.QueryAsync(connection, _sql.LockKeys(keys.Count), static row => (Key: row.GetString(0), Labels: LabelsOf(row, 1)),
            cancellationToken, KeyParameters(keys)).ConfigureAwait(false);

        // What has lost the label since its key was read stays.
        var ended = locked.Where(record => record.Labels.Contains(label, StringComparer.Ordinal)).Select(static record => record.Key).ToList();
        if (ended.Count > 0)
        {
            await MySqlDatabase.ExecuteAsync(connection, _sql.DeleteKeys(ended.Count), cancellationToken, KeyParameters(ended)).ConfigureAwait(false);
        }

        return ended.Count;
    }
}
