namespace Sojourn.Sqlite;

/// <summary>The tables, made and brought up to date by whoever opens the file; PRAGMA user_version says how far they are.</summary>
internal static class Schema
{
    /// <summary>The steps from each version to the next: released ones are never changed, only added to.</summary>
    private static readonly string[] Steps =
    [
        // A table with rowids: rows of 1 KB would overflow in the index that a table WITHOUT ROWID is.
        // Due is no later than expires and is what the index is on: a touch moves expires alone and leaves the index as it is;
        // pruning files a row anew when it comes due and has not expired. The table labels is an index that triggers keep.
        """
        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            expires INTEGER NOT NULL, -- milliseconds since 1970
            due INTEGER NOT NULL,
            labels TEXT, -- a JSON array of texts
            document BLOB NOT NULL
        ) STRICT;
        CREATE INDEX sessions_due ON sessions (due);

        CREATE TABLE labels (label TEXT NOT NULL, session INTEGER NOT NULL, PRIMARY KEY (label, session)) STRICT, WITHOUT ROWID;
        CREATE TRIGGER sessions_labels_made AFTER INSERT ON sessions WHEN new.labels IS NOT NULL
        BEGIN
            INSERT OR IGNORE INTO labels (label, session) SELECT value, new.id FROM json_each(new.labels);
        END;
        CREATE TRIGGER sessions_labels_changed AFTER UPDATE OF labels ON sessions WHEN new.labels IS NOT old.labels
        BEGIN
            DELETE FROM labels WHERE session = old.id AND label IN (SELECT value FROM json_each(old.labels));
            INSERT OR IGNORE INTO labels (label, session) SELECT value, new.id FROM json_each(new.labels);
        END;
        CREATE TRIGGER sessions_labels_gone AFTER DELETE ON sessions WHEN old.labels IS NOT NULL
        BEGIN
            DELETE FROM labels WHERE session = old.id AND label IN (SELECT value FROM json_each(old.labels));
        END;
        """,
        // Times are milliseconds since 1970.
        """
        CREATE TABLE subjects (subject TEXT NOT NULL PRIMARY KEY, entry BLOB NOT NULL, keep_until INTEGER NOT NULL) STRICT;
        CREATE INDEX subjects_keep_until ON subjects (keep_until);
        CREATE TABLE leases (key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
        CREATE INDEX leases_until ON leases (until);
        """,
    ];

    public static int Version => Steps.Length;

    /// <summary>Brings the file up to date; of several processes that open it, one does.</summary>
    public static void Ensure(Connection connection)
    {
        if (VersionOf(connection) == Version) return;
        connection.Begin();
        try
        {
            for (var version = VersionOf(connection); version < Version; version++)
                connection.ExecuteScript(Steps[version] + $"PRAGMA user_version = {version + 1};");
            connection.Commit();
        }
        catch
        {
            connection.Rollback();
            throw;
        }
    }

    private static long VersionOf(Connection connection)
    {
        var version = connection.Pragma("user_version");
        if (version >= 0 && version <= Version) return version;
        throw new SqliteStoreException(
            connection.Path,
            $"has schema version {version}, and this version of Sojourn knows none after {Version}. Upgrade Sojourn, or give sessions a file of their own.");
    }
}
