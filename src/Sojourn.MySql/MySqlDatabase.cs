using System.Data;
using System.Transactions;
using MySqlConnector;
using Sojourn.Storage;

namespace Sojourn.MySql;

/// <summary>
/// The way to the database: connections of the application's own data source or of a pool of the store's own, and what has to be known before the first
/// statement: that the tables are there, how large a statement may be, and that both sides mean the same by a backslash.
/// </summary>
internal sealed class MySqlDatabase : IAsyncDisposable
{
    /// <summary>
    /// Before each write of more than one row, in the same round trip: a write finds what is there when it has the lock, where stronger isolation may refuse
    /// what changed while it waited (innodb_snapshot_isolation, on in MariaDB 11.6), and locks no gaps between rows, where other sessions' labels are written.
    /// </summary>
    private const string ReadCommitted = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ";

    private readonly Lock _gate = new();
    private readonly string _connectionString;
    private readonly MySqlDataSource? _given;
    private readonly SchemaCheck _schema;
    private readonly bool _staysPrepared;
    private Task? _ensured;
    private long _maxPacket;

    public MySqlDatabase(MySqlDataSource given, SchemaCheck schema)
    {
        ArgumentNullException.ThrowIfNull(given);
        (_given, _connectionString, _schema, _staysPrepared) = (given, given.ConnectionString, schema, StaysPrepared(given.ConnectionString));
    }

    public MySqlDatabase(string connectionString, SchemaCheck schema)
    {
        (_connectionString, _schema) = (Parse(connectionString), schema);
        _staysPrepared = StaysPrepared(_connectionString);
    }

    /// <summary>Makes or checks the tables, once; after a failure the next call tries again.</summary>
    public async ValueTask EnsureSchemaAsync(CancellationToken cancellationToken)
    {
        if (_ensured is not { IsCompletedSuccessfully: true })
        {
            Task ensured;
            lock (_gate)
            {
                // Not with the token of whoever came first: others wait, too.
                ensured = _ensured is null or { IsFaulted: true } or { IsCanceled: true } ? _ensured = EnsureAsync() : _ensured;
            }

            await ensured.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a statement, or several in one round trip.</summary>
    /// <returns>How many rows were changed; rows that were found and left as they are may count or not.</returns>
    public ValueTask<int> ExecuteAsync(string sql, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters) =>
        WithConnectionAsync(connection => ExecuteAsync(connection, ReadCommitted + sql, cancellationToken, parameters), mayRepeat: false, cancellationToken);

    /// <summary>
    /// Runs a statement on one row, found by its key, which locks that row alone under any isolation. Prepared where the connection stays so: the server does
    /// not read it again, and the document goes out as it is.
    /// </summary>
    /// <returns>As <see cref="ExecuteAsync(string, CancellationToken, ValueTuple{string, object}[])"/>.</returns>
    public async ValueTask<int> ExecuteOnRowAsync(string sql, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters)
    {
        try
        {
            return await WithConnectionAsync(async connection =>
            {
                using var command = Command(connection, sql, parameters);
                await PrepareAsync(command, cancellationToken).ConfigureAwait(false);
                return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }, mayRepeat: false, cancellationToken).ConfigureAwait(false);
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.CheckRead)
        {
            // Refused, since the row changed while this waited for it.
            return await ExecuteAsync(sql, cancellationToken, parameters).ConfigureAwait(false);
        }
    }

    /// <summary>Runs several statements in one round trip, all of them or none.</summary>
    public ValueTask<int> ExecuteTogetherAsync(string sql, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters) =>
        WithConnectionAsync(
            connection =>
                OrRollBackAsync(connection, () => ExecuteAsync(connection, $"{ReadCommitted}START TRANSACTION; {sql} COMMIT", cancellationToken, parameters)),
            mayRepeat: false, cancellationToken);

    /// <summary>Runs statements that depend on each other's answers, all of them or none.</summary>
    public ValueTask<T> TransactAsync<T>(Func<MySqlConnection, Task<T>> act, CancellationToken cancellationToken) =>
        WithConnectionAsync(connection => OrRollBackAsync(connection, async () =>
        {
            // Not by the driver's transaction: it would set the isolation of the connection for good.
            await ExecuteAsync(connection, ReadCommitted + "START TRANSACTION", cancellationToken).ConfigureAwait(false);
            var result = await act(connection).ConfigureAwait(false);
            await ExecuteAsync(connection, "COMMIT", cancellationToken).ConfigureAwait(false);
            return result;
        }), mayRepeat: false, cancellationToken);

    /// <summary>Reads rows; asked again where the connection turns out to be one that the server has closed.</summary>
    public ValueTask<List<T>> QueryAsync<T>(
        string sql, Func<MySqlDataReader, T> row, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters) =>
        WithConnectionAsync(connection => QueryAsync(connection, sql, row, cancellationToken, parameters), mayRepeat: true, cancellationToken);

    /// <summary>
    /// Reads one row, found by its key; the default where there is none. Prepared where the connection stays so: the server does not read the statement again,
    /// and the document comes as it is.
    /// </summary>
    public ValueTask<T?> QueryRowAsync<T>(
        string sql, Func<MySqlDataReader, T> row, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters) =>
        WithConnectionAsync(async connection =>
        {
            using var command = Command(connection, sql, parameters);
            await PrepareAsync(command, cancellationToken).ConfigureAwait(false);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? row(reader) : default;
            }
        }, mayRepeat: true, cancellationToken);

    /// <summary>
    /// As <see cref="QueryAsync{T}(string, Func{MySqlDataReader, T}, CancellationToken, ValueTuple{string, object}[])"/>, of statements that change something
    /// first.
    /// </summary>
    public ValueTask<List<T>> ExecuteAndQueryAsync<T>(
        string sql, Func<MySqlDataReader, T> row, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters) =>
        WithConnectionAsync(connection => QueryAsync(connection, ReadCommitted + sql, row, cancellationToken, parameters), mayRepeat: false, cancellationToken);

    public static async Task<List<T>> QueryAsync<T>(
        MySqlConnection connection, string sql, Func<MySqlDataReader, T> row, CancellationToken cancellationToken,
        params (string Name, object? Value)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(row(reader));
            }

            return rows;
        }
    }

    public static async Task<int> ExecuteAsync(
        MySqlConnection connection, string sql, CancellationToken cancellationToken, params (string Name, object? Value)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Refuses what the server would not take: it would close the connection and say little.</summary>
    /// <exception cref="ArgumentException">The statement would be larger than the server's max_allowed_packet.</exception>
    public async ValueTask CheckSizeAsync(SessionRecord record, int besides, CancellationToken cancellationToken)
    {
        await EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
        var size = SizeInStatement(record.Document.Span) + besides + 4096L;
        if (size > _maxPacket)
        {
            throw new ArgumentException(
                $"The session's document of {record.Document.Length:N0} bytes makes a statement of {size:N0}, more than the server's max_allowed_packet = "
                + $"{_maxPacket:N0}. Raise that, or lower SojournOptions.MaxDocumentBytes. The stored session is unchanged.", nameof(record));
        }
    }

    /// <summary>A pool of the store's own leaves no state on a connection that would have to be reset, and joins no transaction of the application's.</summary>
    /// <exception cref="ArgumentException">It is malformed, or names no database.</exception>
    public static string Parse(string connectionString)
    {
        var builder = new MySqlConnectionStringBuilder(connectionString) { AutoEnlist = false };
        if (builder.Database.Length == 0)
        {
            throw new ArgumentException("The connection string names no database: add Database=….", nameof(connectionString));
        }

        if (!builder.ContainsKey("Connection Reset"))
        {
            builder.ConnectionReset = false;
        }

        return builder.ConnectionString;
    }

    /// <summary>Closes the connections of the store's own.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_given is null)
        {
            var connection = new MySqlConnection(_connectionString);
            await using (connection.ConfigureAwait(false))
            {
                await MySqlConnection.ClearPoolAsync(connection).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A reset between uses, as it is the driver's default, takes prepared statements with it.</summary>
    private static bool StaysPrepared(string connectionString) =>
        new MySqlConnectionStringBuilder(connectionString) is { Pooling: true, ConnectionReset: false };

    /// <summary>How many bytes a binary value takes in a statement: the driver puts a backslash or a quote before some.</summary>
    private static long SizeInStatement(ReadOnlySpan<byte> value) =>
        value.Length + (long)value.Count((byte)'\'') + value.Count((byte)'\\') + value.Count((byte)0);

    private static MySqlCommand Command(MySqlConnection connection, string sql, (string Name, object? Value)[] parameters)
    {
        var command = new MySqlCommand(sql, connection);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    /// <summary>Where the connection keeps it, and the server has a place for it; otherwise the statement goes as text.</summary>
    private async ValueTask PrepareAsync(MySqlCommand command, CancellationToken cancellationToken)
    {
        if (_staysPrepared)
        {
            try
            {
                await command.PrepareAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.MaxPreparedStatementCountReached)
            {
                // It has one limit for all of its clients (max_prepared_stmt_count, 16,382 by default), which others may have used up.
            }
        }
    }

    private static async Task<T> OrRollBackAsync<T>(MySqlConnection connection, Func<Task<T>> act)
    {
        try
        {
            return await act().ConfigureAwait(false);
        }
        catch when (connection.State == ConnectionState.Open)
        {
            await ExecuteAsync(connection, "ROLLBACK", CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private async ValueTask<T> WithConnectionAsync<T>(Func<MySqlConnection, Task<T>> act, bool mayRepeat, CancellationToken cancellationToken)
    {
        await EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
        return await WithoutCheckAsync(act, mayRepeat, cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> WithoutCheckAsync<T>(Func<MySqlConnection, Task<T>> act, bool mayRepeat, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var connection = _given?.CreateConnection() ?? new MySqlConnection(_connectionString);
            await using (connection.ConfigureAwait(false))
            {
                await OpenAsync(connection, cancellationToken).ConfigureAwait(false);
                try
                {
                    return await act(connection).ConfigureAwait(false);
                }
                catch (MySqlException e) when (e.ErrorCode is MySqlErrorCode.LockDeadlock or MySqlErrorCode.NeedRePrepare && attempt < 5)
                {
                    // All of it was rolled back, or none of it begun, since the tables have changed under a prepared statement: it is safe to run again.
                }
                catch (Exception e) when (e is not OperationCanceledException && connection.State != ConnectionState.Open)
                {
                    // A server that went away took the idle connections with it. What the driver throws then is not always its own.
                    await MySqlConnection.ClearPoolAsync(connection, CancellationToken.None).ConfigureAwait(false);
                    if (!mayRepeat || attempt > 1 || e is MySqlException { ErrorCode: MySqlErrorCode.CommandTimeoutExpired })
                    {
                        throw;
                    }
                }
            }
        }
    }

    /// <summary>A session is saved or not on its own, whatever becomes of a transaction around the call.</summary>
    private static async ValueTask OpenAsync(MySqlConnection connection, CancellationToken cancellationToken)
    {
        if (Transaction.Current is null)
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        outside.Complete();
    }

    private Task<bool> EnsureAsync() => WithoutCheckAsync(async connection =>
    {
        var (sqlMode, maxPacket, commits) = (await QueryAsync(connection, "SELECT @@sql_mode, @@max_allowed_packet, @@autocommit",
            static row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2) == 1), CancellationToken.None).ConfigureAwait(false))[0];
        SchemaCheck.ThrowIfNothingIsCommitted(commits);
        SchemaCheck.ThrowIfBackslashesDiffer(sqlMode, new MySqlConnectionStringBuilder(_connectionString).NoBackslashEscapes);
        await _schema.EnsureAsync(connection).ConfigureAwait(false);
        _maxPacket = maxPacket;
        return true;
    }, mayRepeat: true, CancellationToken.None);
}
