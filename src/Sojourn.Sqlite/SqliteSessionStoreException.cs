using Microsoft.Data.Sqlite;

namespace Sojourn.Sqlite;

/// <summary>
/// The file could not be opened, read or written. The message names the file and what to do. The store goes on: once the cause is mended,
/// it opens the file again by itself.
/// </summary>
public sealed class SqliteSessionStoreException : Exception
{
    internal SqliteSessionStoreException(string file, string message, Exception? innerException = null)
        : base(message, innerException)
        => File = file;

    /// <summary>The database's file.</summary>
    public string File { get; }

    /// <summary>Whether the file has to be opened anew; otherwise it was the one read or write that failed.</summary>
    internal static bool IsFatal(Exception exception)
        => exception is SqliteException { SqliteErrorCode: not (5 or 6 or 7 or 9 or 13 or 18 or 19) }; // busy, locked, memory, interrupted, full, too big, constraint

    internal static Exception Explain(Exception exception, string file) => exception is SqliteException failure
        ? new SqliteSessionStoreException(file, Describe(failure, file), failure)
        : exception;

    private static string Describe(SqliteException failure, string file) => failure.SqliteErrorCode switch
    {
        5 or 6 => $"'{file}' has been locked by another process for longer than {nameof(SqliteSessionStoreOptions.BusyTimeout)}. End what holds a transaction open on it.",
        8 => $"'{file}' cannot be written. Give the process write permission on the file and its directory, and take Mode=ReadOnly out of the connection string.",
        10 => $"Reading or writing '{file}' failed: {failure.Message}. Look after the disk.",
        11 or 26 => $"'{file}' is damaged or not an SQLite database. Restore it from a backup, or move it away together with the files of its name that end in -wal and -shm: a new one is made then, and every visitor starts afresh.",
        13 => $"There is no room to write '{file}': the disk is full. Free some space.",
        14 when Path.GetDirectoryName(file) is { Length: > 0 } directory && !Directory.Exists(directory) => $"'{file}' cannot be opened: the directory '{directory}' does not exist. Make it.",
        14 => $"'{file}' cannot be opened. It must exist or be allowed to be made (no Mode=ReadOnly or Mode=ReadWrite in the connection string), and the process needs permission on it and on its directory.",
        _ => $"SQLite failed on '{file}': {failure.Message}",
    };
}
