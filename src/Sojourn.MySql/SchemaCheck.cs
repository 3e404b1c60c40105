using MySqlConnector;
using Sojourn.Storage;

namespace Sojourn.MySql;

/// <summary>Finds out by statements that change nothing whether tables, columns and rights are there, and makes the tables where it may.</summary>
/// <param name="checkReads">Statements that fail where a table, a column or the right to read it is missing.</param>
/// <param name="checkWrites">Statements that fail where a right to write is missing.</param>
/// <param name="script">Makes the tables.</param>
/// <param name="tables">Their names, quoted.</param>
/// <param name="mayCreate">Whether to make what is missing.</param>
internal sealed class SchemaCheck(string checkReads, string checkWrites, string script, IReadOnlyList<string> tables, bool mayCreate)
{
    /// <summary>A server takes text for what it is not where it and the driver disagree on what a backslash in a statement means.</summary>
    /// <exception cref="SessionSchemaException">They disagree.</exception>
    public static void ThrowIfBackslashesDiffer(string sqlMode, bool clientHasNone)
    {
        var serverHasNone = sqlMode.Contains("NO_BACKSLASH_ESCAPES", StringComparison.OrdinalIgnoreCase);
        if (serverHasNone != clientHasNone)
        {
            throw new SessionSchemaException(
                $"The server's sql_mode is '{sqlMode}', and the connection string says NoBackslashEscapes={clientHasNone}: what holds a backslash would be "
                + $"stored wrongly. Say NoBackslashEscapes={serverHasNone}.",
                serverHasNone
                    ? "SET GLOBAL sql_mode = REPLACE(@@GLOBAL.sql_mode, 'NO_BACKSLASH_ESCAPES', '');"
                    : "SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',NO_BACKSLASH_ESCAPES');");
        }
    }

    /// <summary>Each verb is one statement, which commits by itself.</summary>
    /// <exception cref="SessionSchemaException">It does not.</exception>
    public static void ThrowIfNothingIsCommitted(bool commits)
    {
        if (!commits)
        {
            throw new SessionSchemaException(
                "The server's connections begin with autocommit = 0: what is written would never be committed.", "SET GLOBAL autocommit = 1;");
        }
    }

    /// <exception cref="SessionSchemaException">Something is missing that may not be made.</exception>
    public async Task EnsureAsync(MySqlConnection connection)
    {
        try
        {
            await CheckAsync(connection).ConfigureAwait(false);
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.NoSuchTable)
        {
            if (!mayCreate)
            {
                throw new SessionSchemaException($"A table is missing ({e.Message}), and the options say not to make it.", script, e);
            }

            await CreateAsync(connection).ConfigureAwait(false);
            await CheckAsync(connection).ConfigureAwait(false);
        }
    }

    private async Task CreateAsync(MySqlConnection connection)
    {
        try
        {
            await MySqlDatabase.ExecuteAsync(connection, script, CancellationToken.None).ConfigureAwait(false);
        }
        catch (MySqlException e) when (IsRightMissing(e))
        {
            throw new SessionSchemaException($"A table is missing that the database user may not make ({e.Message}).", script, e);
        }
    }

    private async Task CheckAsync(MySqlConnection connection)
    {
        try
        {
            await MySqlDatabase.ExecuteAsync(connection, checkReads, CancellationToken.None).ConfigureAwait(false);
            await MySqlDatabase.ExecuteAsync(connection, checkWrites, CancellationToken.None).ConfigureAwait(false);
        }
        catch (MySqlException e) when (DoesNotTryWrites(e))
        {
            // The tables are there, and what is stored can be read. Writes that cannot be made will say so by themselves.
        }
        catch (MySqlException e) when (e.ErrorCode is MySqlErrorCode.BadFieldError or MySqlErrorCode.WrongValueCountOnRow)
        {
            throw new SessionSchemaException(
                $"A table is of another form than it should be ({e.Message}). It may be another application's: name it otherwise in the options; or rename or "
                + "drop it first.", script, e);
        }
        catch (MySqlException e) when (IsRightMissing(e))
        {
            // Who may not even look at a table is not told whether it is there.
            throw new SessionSchemaException(
                $"The database user lacks a right ({e.Message}).", script + await GrantsAsync(connection).ConfigureAwait(false), e);
        }
    }

    private async Task<string> GrantsAsync(MySqlConnection connection)
    {
        var (user, database) = (await MySqlDatabase.QueryAsync(connection, "SELECT CURRENT_USER(), DATABASE()",
            static row => (row.GetString(0), row.GetString(1)), CancellationToken.None).ConfigureAwait(false))[0];
        var at = user.LastIndexOf('@');
        var (to, schema) = ($"'{user[..at]}'@'{user[(at + 1)..]}'", $"`{database.Replace("`", "``", StringComparison.Ordinal)}`");
        return string.Concat(tables.Select(table => $"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.{table} TO {to};{Environment.NewLine}"));
    }

    private static bool IsRightMissing(MySqlException e) =>
        e.ErrorCode is MySqlErrorCode.TableAccessDenied or MySqlErrorCode.ColumnAccessDenied
            or MySqlErrorCode.DatabaseAccessDenied or MySqlErrorCode.SpecifiedAccessDeniedError;

    /// <summary>A server that is read-only (1836 is MySQL's mode of that kind, for which the driver has no name), or where a DELETE must name a key.</summary>
    private static bool DoesNotTryWrites(MySqlException e) => e.ErrorCode is MySqlErrorCode.OptionPreventsStatement
        or MySqlErrorCode.CannotExecuteInReadOnlyTransaction or (MySqlErrorCode)1836 or MySqlErrorCode.UpdateWithoutKeysInSafeMode;
}
