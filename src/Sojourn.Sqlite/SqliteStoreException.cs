using Microsoft.Data.Sqlite;

namespace Sojourn.Sqlite;

/// <summary>
/// The session database could not be used: the message names the file, what is wrong with it and what mends it. The store tries again with
/// the next call, so it works as soon as the cause is mended.
/// </summary>
public sealed class SqliteStoreException : Exception
{
    internal SqliteStoreException(string path, string message, Exception? cause = null)
        : base($"The session database '{path}' {message}", cause)
        => Path = path;

    /// <summary>The database file.</summary>
    public string Path { get; }

    /// <summary>Whether a connection that met this error is to be given up: its view of the file is not to be trusted any more.</summary>
    internal static bool IsFatal(SqliteException error) => error.SqliteErrorCode is
        SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB or SQLitePCL.raw.SQLITE_IOERR
            or SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_READONLY;

    internal static SqliteStoreException From(SqliteException error, string path) => new(path, error.SqliteErrorCode switch
    {
        SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_PERM when System.IO.Path.GetDirectoryName(path) is { Length: > 0 } directory
            && !Directory.Exists(directory) =>
            $"cannot be opened: there is no directory '{directory}'. Create it, or correct the connection string.",
        SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_PERM =>
            "cannot be opened. Give the user that runs the application the right to read and write it and its directory.",
        SQLitePCL.raw.SQLITE_READONLY =>
            "is read-only. Give the user that runs the application the right to write it, the files '-wal' and '-shm' beside it, and its directory, and leave "
            + "Mode=ReadOnly out of the connection string.",
        SQLitePCL.raw.SQLITE_FULL =>
            "has no room on its disk; nothing of this change was stored. Free some space.",
        SQLitePCL.raw.SQLITE_NOTADB or SQLitePCL.raw.SQLITE_CORRUPT =>
            "is damaged, or is not a SQLite database, or is encrypted with another password. Move it and the files '-wal' and '-shm' beside it away: an empty "
            + "one is made, unless a backup is put in its place.",
        SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED =>
            $"is locked: another process held its write lock for longer than {nameof(SqliteSessionStoreOptions.BusyTimeout)}. Find the process that keeps a "
            + "transaction open.",
        SQLitePCL.raw.SQLITE_IOERR =>
            "cannot be read or written: the disk reports an error. Look at the system's log for the disk.",
        _ => "does not do as it is told.",
    } + $" (SQLite error {error.SqliteExtendedErrorCode}: {error.Message})", error);
}
