using static Sojourn.PostgreSql.SqlName;

namespace Sojourn.PostgreSql;

/// <summary>
/// The scripts that make what the stores need, for those who may not make tables by the application's own database user. Harmless when repeated.
/// </summary>
public static class PostgreSqlSchema
{
    /// <summary>Makes the tables of the native layout.</summary>
    /// <param name="options">The options of the store.</param>
    /// <returns>SQL, for <c>psql</c> or any other client.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static string Script(PostgreSqlSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.IsValid) throw new ArgumentException(PostgreSqlSessionStoreOptions.Rule, nameof(options));
        var (schema, prefix, unlogged) = (Quoted(options.SchemaName), options.TablePrefix, options.Unlogged ? "UNLOGGED " : "");
        string Name(string name) => Quoted(prefix + name);

        // A touch moves expires alone, which no index is on, and finds room on the row's own page: no index is written. Due is no later than expires;
        // pruning files a row anew when it comes due and has not expired. Hashes of labels, since an index entry has a greatest length.
        return $"""
            {MakeSchema(options.SchemaName)}
            CREATE {unlogged}TABLE IF NOT EXISTS {schema}.{Name("sessions")} (
                key text COLLATE "C" PRIMARY KEY,
                version bigint NOT NULL,
                expires bigint NOT NULL, -- milliseconds since 1970, as all times here
                due bigint NOT NULL,
                labels text[],
                label_hashes bigint[],
                document bytea NOT NULL
            ) WITH (fillfactor = 70);
            CREATE INDEX IF NOT EXISTS {Name("sessions_due")} ON {schema}.{Name("sessions")} (due);
            CREATE INDEX IF NOT EXISTS {Name("sessions_labels")} ON {schema}.{Name("sessions")} USING gin (label_hashes);
            CREATE {unlogged}TABLE IF NOT EXISTS {schema}.{Name("subjects")} (subject bytea PRIMARY KEY, entry bytea NOT NULL, keep_until bigint NOT NULL);
            CREATE INDEX IF NOT EXISTS {Name("subjects_keep_until")} ON {schema}.{Name("subjects")} (keep_until);
            CREATE {unlogged}TABLE IF NOT EXISTS {schema}.{Name("leases")} (key text COLLATE "C" PRIMARY KEY, owner text NOT NULL, until timestamptz NOT NULL);
            CREATE INDEX IF NOT EXISTS {Name("leases_until")} ON {schema}.{Name("leases")} (until);

            """;
    }

    /// <summary>Makes the table of connect-pg-simple, as its own <c>table.sql</c> does.</summary>
    /// <param name="options">The options of the store.</param>
    /// <returns>SQL, for <c>psql</c> or any other client.</returns>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static string Script(ConnectPgSimpleSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.IsValid) throw new ArgumentException(ConnectPgSimpleSessionStoreOptions.Rule, nameof(options));
        var table = ConnectPgSimpleSessionStore.TableOf(options);
        return $"""
            {(options.SchemaName is { } schema ? MakeSchema(schema) + Environment.NewLine : "")}CREATE TABLE IF NOT EXISTS {table} (
                "sid" varchar NOT NULL COLLATE "default",
                "sess" json NOT NULL,
                "expire" timestamp(6) NOT NULL,
                PRIMARY KEY ("sid")
            );
            CREATE INDEX IF NOT EXISTS {Quoted($"IDX_{options.TableName}_expire")} ON {table} ("expire");

            """;
    }

    /// <summary>CREATE SCHEMA IF NOT EXISTS asks for the right to make schemas also where the schema is there.</summary>
    private static string MakeSchema(string name) =>
        $"DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {Literal(name)}) THEN CREATE SCHEMA {Quoted(name)}; END IF; END $do$;";
}
