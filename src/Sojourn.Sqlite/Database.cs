using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Sojourn.Sqlite;

/// <summary>The file: opens connections to it, lends them to readers, and gives all of them up when it can no longer be trusted.</summary>
internal sealed class Database : IDisposable
{
    private readonly string _connectionString;
    private readonly SqliteSessionStoreOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Lock _opening = new();
    private readonly ConcurrentQueue<Connection> _idle = [];
    private readonly int _maxIdle = 2 * Environment.ProcessorCount;
    private long _lastLook;
    private int _generation;
    private volatile string? _file;
    private volatile bool _disposed;

    public Database(string connectionString, SqliteSessionStoreOptions options, TimeProvider timeProvider)
    {
        var parts = Parse(connectionString);
        _connectionString = parts.ToString();
        _options = options;
        _timeProvider = timeProvider;
        var isPlain = !parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase) && !parts.DataSource.StartsWith('|');
        Path = isPlain ? System.IO.Path.GetFullPath(parts.DataSource) : parts.DataSource;
    }

    /// <summary>The database file, for messages; as it was given where only SQLite can tell what it means.</summary>
    public string Path { get; }

    /// <summary>Refuses what is not a file.</summary>
    public static SqliteConnectionStringBuilder Parse(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        // The driver's pool would keep files open that are given up here, and its shared cache makes readers wait for the writer.
        var parts = new SqliteConnectionStringBuilder(connectionString) { Pooling = false, Cache = SqliteCacheMode.Private };
        var source = parts.DataSource;
        var inMemory = parts.Mode == SqliteOpenMode.Memory || source.Length == 0 || source.Contains(":memory:", StringComparison.OrdinalIgnoreCase)
            || (source.StartsWith("file:", StringComparison.OrdinalIgnoreCase) && source.Contains("mode=memory", StringComparison.OrdinalIgnoreCase));
        if (!inMemory) return parts;
        throw new ArgumentException(
            "The connection string names no file, and sessions are kept in one: use \"Data Source=sessions.db\", or UseMemory() for sessions in memory.",
            nameof(connectionString));
    }

    /// <summary>Opens the one connection that writes.</summary>
    public Connection OpenWriter()
    {
        var connection = Open();
        try
        {
            // Checkpoints write a page once however often it changed: four times SQLite's run between them. A WAL that a burst made long
            // is cut back to 64 MB. 16 MB of pages stay in memory.
            connection.ExecuteScript($"""
                PRAGMA synchronous = {(_options.Durability == SqliteDurability.Full ? "FULL" : "NORMAL")};
                PRAGMA fullfsync = {(_options.Durability == SqliteDurability.Full ? "ON" : "OFF")};
                PRAGMA wal_autocheckpoint = 4000;
                PRAGMA journal_size_limit = 67108864;
                PRAGMA cache_size = -16384;
                """);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Runs a query on a connection of the caller's own for as long as it takes, on the caller's thread: readers wait for nobody.</summary>
    public T Read<TState, T>(TState state, Func<Connection, TState, T> query)
    {
        Connection? connection = null;
        try
        {
            LookNowAndThen();
            connection = Rent();
            var result = query(connection, state);
            Return(connection);
            return result;
        }
        catch (Exception e)
        {
            connection?.Dispose();
            if (Explain(e) is { } explained) throw explained;
            throw;
        }
    }

    /// <summary>A file that was deleted goes on to be written by who has it open, and nobody would ever read that again.</summary>
    /// <exception cref="SqliteStoreException">It was deleted; with the next call an empty one is made.</exception>
    public void ThrowIfDeleted()
    {
        if (_file is not { } file || File.Exists(file)) return;
        GiveUp();
        throw new SqliteStoreException(Path, "was deleted while it was in use, and its sessions with it. An empty one is made in its place.");
    }

    /// <summary>What a person can make something of, instead of what the driver threw; null where there is nothing to add.</summary>
    public SqliteStoreException? Explain(Exception error)
    {
        if (error is not SqliteException sqlite) return null;
        if (SqliteStoreException.IsFatal(sqlite)) GiveUp();
        return SqliteStoreException.From(sqlite, Path);
    }

    /// <summary>Whether a connection belongs to the file as it is now.</summary>
    public bool IsCurrent(Connection connection) => connection.Generation == Volatile.Read(ref _generation);

    /// <summary>Closes what readers have left; from now on there are no readers, while the writer finishes.</summary>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryDequeue(out var connection)) connection.Dispose();
    }

    /// <summary>Lets every connection be closed instead of used again.</summary>
    private void GiveUp()
    {
        _file = null;
        Interlocked.Increment(ref _generation);
        while (_idle.TryDequeue(out var connection)) connection.Dispose();
    }

    private Connection Rent()
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(SqliteSessionStore));
        while (_idle.TryDequeue(out var idle))
        {
            if (IsCurrent(idle)) return idle;
            idle.Dispose();
        }
        var connection = Open();
        connection.ExecuteScript("PRAGMA query_only = ON");
        return connection;
    }

    private void Return(Connection connection)
    {
        if (IsCurrent(connection) && _idle.Count < _maxIdle && !_disposed) _idle.Enqueue(connection);
        else connection.Dispose();
        // Who returns one while the rest is closed closes it too.
        if (_disposed) Dispose();
    }

    /// <summary>Looks for the file once a second: a reader would see the records of a deleted one for ever.</summary>
    private void LookNowAndThen()
    {
        var last = Volatile.Read(ref _lastLook);
        if (_timeProvider.GetElapsedTime(last) < TimeSpan.FromSeconds(1)) return;
        if (Interlocked.CompareExchange(ref _lastLook, _timeProvider.GetTimestamp(), last) == last) ThrowIfDeleted();
    }

    private Connection Open()
    {
        // One after the other, so that one makes the tables and the others find them.
        lock (_opening)
        {
            var open = new SqliteConnection(_connectionString);
            try
            {
                var generation = Volatile.Read(ref _generation);
                open.Open();
                var connection = new Connection(open, Path, _options.BusyTimeout, generation);
                connection.UseWal();
                Schema.Ensure(connection);
                _file = raw.sqlite3_db_filename(open.Handle!, "main").utf8_to_string();
                return connection;
            }
            catch
            {
                open.Dispose();
                throw;
            }
        }
    }
}
