using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Sojourn.Sqlite;

/// <summary>An open connection and its prepared statements; used by one thread at a time.</summary>
internal sealed class Connection : IDisposable
{
    /// <summary>
    /// Milliseconds. The pauses of SQLite's own wait grow to 100 ms, and a process that writes all the time leaves gaps that are much
    /// shorter: asked anew, SQLite starts with short pauses.
    /// </summary>
    private const int BusyRound = 20;

    private readonly SqliteConnection _connection;
    private readonly sqlite3 _handle;
    private readonly Dictionary<string, Statement> _statements = new(ReferenceEqualityComparer.Instance);
    private readonly int _busyTimeout;

    public Connection(SqliteConnection open, string path, TimeSpan busyTimeout, int generation)
    {
        _connection = open;
        _handle = open.Handle!;
        _busyTimeout = (int)busyTimeout.TotalMilliseconds;
        SetBusyTimeout(_busyTimeout);
        Path = path;
        Generation = generation;
    }

    public string Path { get; }

    public int Generation { get; }

    /// <summary>A statement, prepared at its first use. The text has to be a constant: it is found by reference.</summary>
    public Statement Prepared(string sql)
    {
        if (!_statements.TryGetValue(sql, out var statement)) _statements.Add(sql, statement = new(_handle, sql));
        else statement.Reset();
        return statement;
    }

    /// <summary>
    /// Turns the file to write-ahead logging, which it keeps. Of several that do so at the same moment SQLite refuses some without a wait:
    /// they wait for the write lock, as SQLite does wait for that, and find it done.
    /// </summary>
    public void UseWal()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                ExecuteScript("PRAGMA journal_mode = WAL");
                return;
            }
            catch (SqliteException e) when (e.SqliteErrorCode is raw.SQLITE_BUSY && attempt < 10)
            {
                Begin();
                Rollback();
            }
        }
    }

    /// <summary>Takes the write lock at once: a transaction that took it later could find that it had read what has changed since.</summary>
    public void Begin()
    {
        SetBusyTimeout(Math.Min(BusyRound, _busyTimeout));
        try
        {
            for (var waited = BusyRound; ; waited += BusyRound)
            {
                try
                {
                    Prepared("BEGIN IMMEDIATE").Execute();
                    return;
                }
                catch (SqliteException e) when (e.SqliteErrorCode is raw.SQLITE_BUSY && waited < _busyTimeout)
                {
                    // The next round.
                }
            }
        }
        finally
        {
            SetBusyTimeout(_busyTimeout);
        }
    }

    public void Commit() => Prepared("COMMIT").Execute();

    /// <summary>SQLite has rolled back by itself after some errors.</summary>
    public void Rollback()
    {
        if (raw.sqlite3_get_autocommit(_handle) == 0) Prepared("ROLLBACK").Execute();
    }

    public void ExecuteScript(string sql)
    {
        var result = raw.sqlite3_exec(_handle, sql);
        if (result is not raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(result, _handle);
    }

    public long Pragma(string name)
    {
        using var statement = new Statement(_handle, "PRAGMA " + name);
        return statement.Step() ? statement.Number(0) : 0;
    }

    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        _connection.Dispose();
    }

    /// <summary>SQLite's own wait: the driver's polls an order of magnitude more slowly.</summary>
    private void SetBusyTimeout(int milliseconds) => _ = raw.sqlite3_busy_timeout(_handle, milliseconds);
}
