namespace Sojourn.PostgreSql;

/// <summary>What can be set about <see cref="PostgreSqlSessionStore"/>. Read once, when the store is made.</summary>
public sealed class PostgreSqlSessionStoreOptions
{
    /// <summary>
    /// A connection string of Npgsql, such as <c>Host=localhost;Database=shop;Username=shop;Password=…</c>. None by default; not read where the application
    /// gives its own data source.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>The schema that the tables are in. <c>public</c> by default; 1 to 63 of <c>A-Z a-z 0-9 _</c>. It is made if it is missing.</summary>
    public string SchemaName { get; set; } = "public";

    /// <summary>What the names of all tables begin with. <c>sojourn_</c> by default; 1 to 32 of <c>A-Z a-z 0-9 _</c>.</summary>
    public string TablePrefix { get; set; } = "sojourn_";

    /// <summary>
    /// Whether the store makes the tables that are missing. True by default; when false, or where the database user may not, the start fails with the
    /// script that makes them.
    /// </summary>
    public bool CreateSchema { get; set; } = true;

    /// <summary>
    /// Whether the tables are made UNLOGGED: a third of the writing, and no sessions at all after a crash of the server or on a standby. False by default;
    /// tables that are there already stay as they are.
    /// </summary>
    public bool Unlogged { get; set; }

    /// <summary>
    /// Whether every write tells who subscribed (NOTIFY, in the same statement). False by default: PostgreSQL lets transactions that notify commit one after
    /// another. Set it in all processes or in none.
    /// </summary>
    public bool Notifications { get; set; }

    internal bool IsValid => SqlName.IsValid(SchemaName, 63) && SqlName.IsValid(TablePrefix, 32);

    internal const string Rule =
        $"{nameof(PostgreSqlSessionStoreOptions)}.{nameof(SchemaName)} must be 1 to 63 and {nameof(TablePrefix)} 1 to 32 of A-Z a-z 0-9 _: they set Sojourn's "
        + "tables apart from others of the database.";
}
