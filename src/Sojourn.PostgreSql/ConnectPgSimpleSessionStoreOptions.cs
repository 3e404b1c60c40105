namespace Sojourn.PostgreSql;

/// <summary>connect-pg-simple's options by their meanings and defaults. Read once, when the store is made.</summary>
public sealed class ConnectPgSimpleSessionStoreOptions
{
    /// <summary>
    /// A connection string of Npgsql, such as <c>Host=localhost;Database=shop;Username=shop;Password=…</c>. None by default; not read where the application
    /// gives its own data source. Its time zone must be that of the Node application's connections: neither sets one unless told to.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The schema that the table is in: <c>schemaName</c>. Null, the default: what the connection's search path says. 1 to 63 characters without a quotation
    /// mark.
    /// </summary>
    public string? SchemaName { get; set; }

    /// <summary>The table: <c>tableName</c>. <c>session</c> by default; 1 to 63 characters without a quotation mark.</summary>
    public string TableName { get; set; } = "session";

    /// <summary>How long a session lives without use whose cookie has no lifetime: <c>ttl</c>. One day by default; 1 second to 400 days.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Whether requests that change nothing leave the expiry as it is. False by default.</summary>
    public bool DisableTouch { get; set; }

    /// <summary>
    /// Whether the store makes the table if it is missing. True by default, unlike connect-pg-simple's; when false, or where the database user may not, the
    /// start fails with the script that makes it.
    /// </summary>
    public bool CreateTableIfMissing { get; set; } = true;

    internal bool IsValid =>
        (SchemaName is null || IsName(SchemaName)) && IsName(TableName) && TimeToLive >= TimeSpan.FromSeconds(1) && TimeToLive <= TimeSpan.FromDays(400);

    internal const string Rule =
        $"{nameof(ConnectPgSimpleSessionStoreOptions)}.{nameof(SchemaName)} and {nameof(TableName)} must be 1 to 63 characters without a quotation mark, and "
        + $"{nameof(TimeToLive)} be 1 second to 400 days.";

    private static bool IsName(string? name) =>
        name is { Length: > 0 and <= 63 } && !name.Contains('"', StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal);
}
