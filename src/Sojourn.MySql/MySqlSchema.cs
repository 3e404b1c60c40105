namespace Sojourn.MySql;

/// <summary>The tables that the stores use, as scripts for MySQL 8 and MariaDB 10.6 or later; harmless when run again. Thread-safe.</summary>
public static class MySqlSchema
{
    /// <summary>The script that makes the tables of <see cref="MySqlSessionStore"/>.</summary>
    /// <param name="options">Names the tables.</param>
    /// <returns>SQL, to be run in the database that the connection string names.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static string Script(MySqlSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.IsValid)
        {
            throw new ArgumentException(MySqlSessionStoreOptions.Rule, nameof(options));
        }

        // Due is no later than expires and is what the index is on: a touch moves expires alone and leaves the index as it is; pruning files a row
        // anew when it comes due and has not expired. Records are filed by key alone, so that a verb locks one row and no entry of another index before it.
        var tables = new Tables(options.TablePrefix);
        return $"""
            CREATE TABLE IF NOT EXISTS {tables.Sessions} (
                `key` varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                `version` bigint NOT NULL,
                `expires` bigint NOT NULL COMMENT 'microseconds since 1970, UTC',
                `due` bigint NOT NULL COMMENT 'when pruning looks at the row: no later than expires',
                `labels` mediumtext NULL COMMENT 'a JSON array of texts',
                `document` longblob NOT NULL,
                PRIMARY KEY (`key`),
                KEY `due` (`due`)
            ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC;
            CREATE TABLE IF NOT EXISTS {tables.Labels} (
                `session` varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the key of a record',
                `label` binary(32) NOT NULL COMMENT 'SHA-256 of one of its labels',
                PRIMARY KEY (`session`, `label`),
                KEY `label` (`label`)
            ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC;
            CREATE TABLE IF NOT EXISTS {tables.Subjects} (
                `subject` binary(32) NOT NULL COMMENT 'SHA-256 of the subject',
                `writes` bigint NOT NULL,
                `until` bigint NOT NULL COMMENT 'microseconds since 1970, UTC',
                `entry` mediumblob NOT NULL,
                PRIMARY KEY (`subject`),
                KEY `until` (`until`)
            ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC;
            CREATE TABLE IF NOT EXISTS {tables.Leases} (
                `key` varchar(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
                `owner` varbinary(300) NOT NULL,
                `until` bigint NOT NULL COMMENT 'microseconds since 1970, UTC, by the clock of the database',
                PRIMARY KEY (`key`),
                KEY `until` (`until`)
            ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC;

            """;
    }

    /// <summary>The script that makes the table of <see cref="ExpressMySqlSessionStore"/>, as express-mysql-session makes it.</summary>
    /// <param name="options">Names the table and its columns.</param>
    /// <returns>SQL, to be run in the database that the connection string names.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static string Script(ExpressMySqlSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return !options.IsValid
            ? throw new ArgumentException(ExpressMySqlSessionStoreOptions.Rule, nameof(options))
            : $"""
            CREATE TABLE IF NOT EXISTS `{options.TableName}` (
                `{options.SessionIdColumn}` varchar(128) COLLATE utf8mb4_bin NOT NULL,
                `{options.ExpiresColumn}` int(11) unsigned NOT NULL,
                `{options.DataColumn}` mediumtext COLLATE utf8mb4_bin,
                PRIMARY KEY (`{options.SessionIdColumn}`)
            ) ENGINE=InnoDB;

            """;
    }
}
