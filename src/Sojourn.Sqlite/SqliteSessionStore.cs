using Sojourn.Storage;

namespace Sojourn.Sqlite;

/// <summary>
/// Keeps sessions in one SQLite file: durable, without a server, for applications whose processes run on one machine.
/// </summary>
/// <remarks>
/// <para>Thread-safe. The file and its tables are made, and brought up to date, by the first call; until then a file that cannot be used
/// does not keep the application from starting. Several processes of one machine may share the file; a network drive is no place for it.
/// Whoever replaces a sound file by another stops the application first: SQLite goes on with the file that it has open.</para>
/// <para>Reads run on the caller's thread and complete synchronously; they wait for no writer. Writes of one process are made by one writer
/// that groups those which arrive together. A call that is cancelled stops waiting: a write that had not begun is dropped, one that had
/// is finished.</para>
/// <para>What is wrong with the file is told by <see cref="SqliteStoreException"/>; each call tries again.</para>
/// </remarks>
public sealed class SqliteSessionStore : ISessionStore, IExpiringStore, ISessionIndex, ISubjectRegistry, ISessionLease, IAsyncDisposable
{
    private const int PruneBatch = 256;

    // The machine's clock: the processes that share the file run on one machine.
    private const string Now = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";

    // The column's order is what Record reads.
    private const string Columns = "sessions.document, sessions.expires, sessions.labels, sessions.version";

    private readonly Database _database;
    private readonly Writer _writer;

    /// <summary>Makes a store; the file is opened by the first call.</summary>
    /// <param name="connectionString">
    /// A connection string of Microsoft.Data.Sqlite, such as <c>Data Source=sessions.db</c>; a relative path starts at the working directory.
    /// </param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">Tells when to look whether the file is still there; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">
    /// The connection string is malformed, or names no file (<c>:memory:</c>): <c>UseMemory()</c> keeps sessions in memory.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public SqliteSessionStore(string connectionString, SqliteSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
    {
        options ??= new();
        if (!options.IsValid) throw new ArgumentOutOfRangeException(nameof(options), SqliteSessionStoreOptions.Rule);
        _database = new(connectionString, options, timeProvider ?? TimeProvider.System);
        _writer = new(_database);
    }

    internal Writer Writer => _writer;

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        cancellationToken.ThrowIfCancellationRequested();
        return new(_database.Read(key, static (connection, key) => Find(connection, key)));
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        // Versions of a key start at 62 random bits, so that one it had before it was deleted is not met again.
        return _writer.RunAsync((key, record), static (connection, write) => connection
            .Prepared(
                "INSERT INTO sessions (key, version, expires, due, labels, document) VALUES (?1, random() & 0x3fffffffffffffff, ?2, ?2, ?3, ?4) "
                + "ON CONFLICT (key) DO NOTHING")
            .Bind(1, write.key)
            .Bind(2, write.record.ExpiresAt.ToUnixTimeMilliseconds())
            .BindLabels(3, write.record.Labels)
            .BindBlob(4, write.record.Document.Span)
            .Execute() == 1, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        return _writer.RunAsync((key, current.Version.Number, next), Replace, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        return _writer.RunAsync((key, current.Version.Number, expiresAt.ToUnixTimeMilliseconds()), Touch, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (current is null)
        {
            return _writer.RunAsync(key, static (connection, key) => connection
                .Prepared("DELETE FROM sessions WHERE key = ?1")
                .Bind(1, key)
                .Execute() == 1 ? WriteResult.Done() : WriteResult.Gone, cancellationToken);
        }
        return _writer.RunAsync((key, version: current.Version.Number), static (connection, write) => connection
            .Prepared("DELETE FROM sessions WHERE key = ?1 AND version = ?2")
            .Bind(1, write.key)
            .Bind(2, write.version)
            .Execute() == 1 ? WriteResult.Done() : ConflictOrGone(connection, write.key), cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled between two batches; what was deleted by then stays deleted.</exception>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (total, batch) = (0L, (Deleted: 0, Refiled: 0));
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            batch = await _writer.RunAsync(now.ToUnixTimeMilliseconds(), PruneABatch, cancellationToken).ConfigureAwait(false);
            total += batch.Deleted;
        }
        while (batch.Deleted + batch.Refiled >= PruneBatch);
        await _writer.RunAsync(now.ToUnixTimeMilliseconds(), PruneBesides, cancellationToken).ConfigureAwait(false);
        return total;
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        cancellationToken.ThrowIfCancellationRequested();
        return new(_database.Read(label, static (connection, label) => ToList(connection
            .Prepared($"SELECT {Columns}, sessions.key FROM labels JOIN sessions ON sessions.id = labels.session WHERE labels.label = ?1")
            .Bind(1, label))));
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        cancellationToken.ThrowIfCancellationRequested();
        return new(_database.Read((afterKey: afterKey ?? "", limit), static (connection, page) => ToList(connection
            .Prepared($"SELECT {Columns}, sessions.key FROM sessions WHERE key > ?1 ORDER BY key LIMIT ?2")
            .Bind(1, page.afterKey)
            .Bind(2, page.limit))));
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(_database.Read(0, static (connection, _) =>
        {
            var statement = connection.Prepared("SELECT count(*) FROM sessions");
            var count = statement.Step() ? statement.Number(0) : 0;
            statement.Reset();
            return count;
        }));
    }

    /// <inheritdoc/>
    /// <remarks>All of them in one transaction: a crash in between leaves none ended, never half of them.</remarks>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        return _writer.RunAsync(label, static (connection, label) => (long)connection
            .Prepared("DELETE FROM sessions WHERE id IN (SELECT session FROM labels WHERE label = ?1)")
            .Bind(1, label)
            .Execute(), cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        cancellationToken.ThrowIfCancellationRequested();
        return new(_database.Read(subject, static (connection, subject) =>
        {
            var statement = connection.Prepared("SELECT entry FROM subjects WHERE subject = ?1").Bind(1, subject);
            var entry = statement.Step() ? statement.Bytes(0).ToArray() : null;
            statement.Reset();
            return entry;
        }));
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<bool> ReplaceSubjectAsync(string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return _writer.RunAsync((subject, current, next, keepUntil: keepUntil.ToUnixTimeMilliseconds()), static (connection, write) =>
        {
            var statement = write.current is { } current
                ? connection.Prepared("UPDATE subjects SET entry = ?2, keep_until = ?3 WHERE subject = ?1 AND entry = ?4").BindBlob(4, current)
                : connection.Prepared("INSERT INTO subjects (subject, entry, keep_until) VALUES (?1, ?2, ?3) ON CONFLICT (subject) DO NOTHING");
            return statement.Bind(1, write.subject).BindBlob(2, write.next).Bind(3, write.keepUntil).Execute() == 1;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(owner);
        return _writer.RunAsync((key, owner, duration: (long)Math.Ceiling(duration.TotalMilliseconds)), static (connection, lease) => connection
            .Prepared(
                $"INSERT INTO leases (key, owner, until) VALUES (?1, ?2, {Now} + ?3) "
                + $"ON CONFLICT (key) DO UPDATE SET owner = ?2, until = {Now} + ?3 WHERE owner = ?2 OR until <= {Now}")
            .Bind(1, lease.key)
            .Bind(2, lease.owner)
            .Bind(3, lease.duration)
            .Execute() == 1, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="SqliteStoreException">The file cannot be used; the message says why.</exception>
    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(owner);
        await _writer.RunAsync((key, owner), static (connection, lease) => connection
            .Prepared("DELETE FROM leases WHERE key = ?1 AND owner = ?2")
            .Bind(1, lease.key)
            .Bind(2, lease.owner)
            .Execute(), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Finishes the writes that are queued, brings everything into the one file and closes it. Calls from now on throw <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <returns>When the file is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        _database.Dispose();
        await _writer.StopAsync().ConfigureAwait(false);
    }

    private static SessionRecord? Find(Connection connection, string key)
    {
        var statement = connection.Prepared($"SELECT {Columns} FROM sessions WHERE key = ?1").Bind(1, key);
        var record = statement.Step() ? Record(statement) : null;
        statement.Reset();
        return record;
    }

    private static WriteResult Replace(Connection connection, (string Key, long Version, SessionRecord Next) write)
    {
        // Almost always labels stay and the expiry moves on: then no index changes, and the first statement does it in two thirds of the time.
        var done = Run("UPDATE sessions SET version = version + 1, expires = ?3, document = ?5 WHERE key = ?1 AND version = ?2 AND labels IS ?4 AND due <= ?3")
            || Run("UPDATE sessions SET version = version + 1, expires = ?3, due = min(due, ?3), labels = ?4, document = ?5 WHERE key = ?1 AND version = ?2");
        return done ? WriteResult.Done(write.Next.WithVersion(new(write.Version + 1))) : ConflictOrGone(connection, write.Key);

        bool Run(string sql) => connection
            .Prepared(sql)
            .Bind(1, write.Key)
            .Bind(2, write.Version)
            .Bind(3, write.Next.ExpiresAt.ToUnixTimeMilliseconds())
            .BindLabels(4, write.Next.Labels)
            .BindBlob(5, write.Next.Document.Span)
            .Execute() == 1;
    }

    private static WriteResult Touch(Connection connection, (string Key, long Version, long Expires) write)
    {
        var done = Run("UPDATE sessions SET expires = ?3 WHERE key = ?1 AND version = ?2 AND due <= ?3")
            || Run("UPDATE sessions SET expires = ?3, due = ?3 WHERE key = ?1 AND version = ?2");
        return done ? WriteResult.Done() : ConflictOrGone(connection, write.Key);

        bool Run(string sql) => connection
            .Prepared(sql)
            .Bind(1, write.Key)
            .Bind(2, write.Version)
            .Bind(3, write.Expires)
            .Execute() == 1;
    }

    private static WriteResult ConflictOrGone(Connection connection, string key)
        => Find(connection, key) is { } fresh ? WriteResult.Conflict(fresh) : WriteResult.Gone;

    private static SessionRecord Record(Statement row) => new(
        row.Bytes(0).ToArray(),
        DateTimeOffset.FromUnixTimeMilliseconds(row.Number(1)),
        LabelsJson.Parse(row.Bytes(2)),
        new(row.Number(3)));

    private static List<KeyValuePair<string, SessionRecord>> ToList(Statement statement)
    {
        List<KeyValuePair<string, SessionRecord>> rows = [];
        while (statement.Step()) rows.Add(new(statement.Text(4), Record(statement)));
        statement.Reset();
        return rows;
    }

    /// <summary>Of what comes due next, files anew what has been touched meanwhile, and deletes what has expired.</summary>
    private static (int Deleted, int Refiled) PruneABatch(Connection connection, long now)
    {
        var refiled = connection
            .Prepared("UPDATE sessions SET due = expires WHERE id IN (SELECT id FROM sessions WHERE due <= ?1 ORDER BY due LIMIT ?2) AND expires > ?1")
            .Bind(1, now)
            .Bind(2, PruneBatch)
            .Execute();
        var deleted = connection
            .Prepared("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE due <= ?1 ORDER BY due LIMIT ?2) AND expires <= ?1")
            .Bind(1, now)
            .Bind(2, PruneBatch)
            .Execute();
        return (deleted, refiled);
    }

    /// <summary>What processes left behind that did not release it, and subjects' entries that are needed no longer.</summary>
    private static int PruneBesides(Connection connection, long now)
        => connection.Prepared("DELETE FROM subjects WHERE keep_until <= ?1").Bind(1, now).Execute()
            + connection.Prepared($"DELETE FROM leases WHERE until <= {Now}").Execute();
}
