using Npgsql;
using Sojourn.Storage;

namespace Sojourn.PostgreSql;

/// <summary>
/// The way to the database: the application's own data source, or one of the store's own; its tables are made or checked before the first statement.
/// </summary>
internal sealed class PostgreSqlDatabase : IAsyncDisposable
{
    /// <summary>Of several processes that make the tables at once, one does, and the others wait for it.</summary>
    private const string Lock = "SELECT pg_advisory_xact_lock(5031170613216021837); ";

    private readonly System.Threading.Lock _gate = new();
    private readonly bool _isOwn;
    private readonly (string Name, string Columns)[] _tables;
    private readonly string _script;
    private readonly bool _mayCreate;
    private Task? _ensured;

    /// <param name="source">Where connections come from.</param>
    /// <param name="isOwn">Whether it is the store's own.</param>
    /// <param name="tables">Tables, quoted, with the columns that have to be there.</param>
    /// <param name="script">Makes them.</param>
    /// <param name="mayCreate">Whether to make what is missing.</param>
    public PostgreSqlDatabase(NpgsqlDataSource source, bool isOwn, (string Name, string Columns)[] tables, string script, bool mayCreate)
    {
        ArgumentNullException.ThrowIfNull(source);
        (Source, _isOwn, _tables, _script, _mayCreate) = (source, isOwn, tables, script, mayCreate);
    }

    public NpgsqlDataSource Source { get; }

    /// <summary>
    /// A data source of the store's own. Statements that are used again are prepared, unless the connection string says how many; connections are not reset
    /// between uses, since the store leaves nothing on them: half of what a statement costs the application.
    /// </summary>
    public static NpgsqlDataSource Open(string connectionString)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        builder.ConnectionStringBuilder.NoResetOnClose = true;
        if (builder.ConnectionStringBuilder.MaxAutoPrepare == 0)
        {
            (builder.ConnectionStringBuilder.MaxAutoPrepare, builder.ConnectionStringBuilder.AutoPrepareMinUsages) = (32, 2);
        }

        return builder.Build();
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

    /// <summary>Runs a statement.</summary>
    /// <returns>How many rows it changed, or returned.</returns>
    public async ValueTask<int> ExecuteAsync(string sql, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        await EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
        var command = Command(sql, parameters);
        await using (command.ConfigureAwait(false))
        {
            return await AgainAsync(() => command.ExecuteNonQueryAsync(cancellationToken)).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a statement and reads its rows.</summary>
    public async ValueTask<List<T>> QueryAsync<T>(
        string sql, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        await EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
        var command = Command(sql, parameters);
        await using (command.ConfigureAwait(false))
        {
            return await AgainAsync(() => ReadAsync(command, row, cancellationToken)).ConfigureAwait(false);
        }
    }

    private static async Task<List<T>> ReadAsync<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> row, CancellationToken cancellationToken)
    {
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

    /// <summary>
    /// What the server has rolled back since it met another writer, as stronger isolation than READ COMMITTED does and a deadlock, is run again.
    /// </summary>
    private static async Task<T> AgainAsync<T>(Func<Task<T>> act)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await act().ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected && attempt < 5)
            {
                // Nothing of it was done.
            }
        }
    }

    public ValueTask DisposeAsync() => _isOwn ? Source.DisposeAsync() : default;

    public static NpgsqlParameter Parameter<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    private NpgsqlCommand Command(string sql, NpgsqlParameter[] parameters)
    {
        var command = Source.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }

        return command;
    }

    private async Task EnsureAsync()
    {
        var connection = await Source.OpenConnectionAsync().ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                await CheckAsync(connection).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
            {
                if (!_mayCreate)
                {
                    throw new SessionSchemaException($"A table is missing ({e.MessageText}), and the options say not to make it.", _script, e);
                }

                await CreateAsync(connection).ConfigureAwait(false);
                await CheckAsync(connection).ConfigureAwait(false);
            }
        }
    }

    private async Task CreateAsync(NpgsqlConnection connection)
    {
        try
        {
            var make = new NpgsqlCommand(Lock + _script, connection);
            await using (make.ConfigureAwait(false))
            {
                await make.ExecuteNonQueryAsync().ConfigureAwait(false);
            }
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SessionSchemaException($"A table is missing that the database user may not make ({e.MessageText}).", _script, e);
        }
    }

    private async Task CheckAsync(NpgsqlConnection connection)
    {
        try
        {
            foreach (var (table, columns) in _tables)
            {
                var right = await MissingRightAsync(connection, table, columns).ConfigureAwait(false);
                if (right is not null)
                {
                    throw new SessionSchemaException($"The database user may not {right} in the table {table}.", GrantsTo(connection));
                }
            }
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.WrongObjectType)
        {
            throw new SessionSchemaException(
                $"A table is of another form than it should be ({e.MessageText}). It may be another application's: name it otherwise in the options; or "
                + "rename or drop it first.",
                _script, e);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SessionSchemaException($"The database user lacks a right ({e.MessageText}).", _script + GrantsTo(connection), e);
        }
    }

    /// <summary>Fails where the table or a column is missing.</summary>
    private static async Task<string?> MissingRightAsync(NpgsqlConnection connection, string table, string columns)
    {
        var check = new NpgsqlCommand(
            $"SELECT {columns} FROM {table} LIMIT 0; SELECT r FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r "
            + $"WHERE NOT has_table_privilege({SqlName.Literal(table)}, r) LIMIT 1", connection);
        await using (check.ConfigureAwait(false))
        {
            var reader = await check.ExecuteReaderAsync().ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.NextResultAsync().ConfigureAwait(false);
                return await reader.ReadAsync().ConfigureAwait(false) ? reader.GetString(0) : null;
            }
        }
    }

    private string GrantsTo(NpgsqlConnection connection) =>
        string.Concat(
            _tables.Select(
                table => $"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.Name} TO {SqlName.Quoted(connection.UserName ?? "")};{Environment.NewLine}"));
}
