namespace Sojourn.MySql;

/// <summary>express-mysql-session's options by their meanings and defaults. Read once, when the store is made.</summary>
public sealed class ExpressMySqlSessionStoreOptions
{
    /// <summary>
    /// A connection string of MySqlConnector that names a database, such as <c>Server=localhost;Database=shop;User ID=shop;Password=…</c>. None by default;
    /// not read where the application gives its own data source.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>The table: <c>schema.tableName</c>. <c>sessions</c> by default; 1 to 64 characters.</summary>
    public string TableName { get; set; } = "sessions";

    /// <summary>The id's column: <c>schema.columnNames.session_id</c>. <c>session_id</c> by default; 1 to 64 characters.</summary>
    public string SessionIdColumn { get; set; } = "session_id";

    /// <summary>The expiry's column: <c>schema.columnNames.expires</c>. <c>expires</c> by default; 1 to 64 characters.</summary>
    public string ExpiresColumn { get; set; } = "expires";

    /// <summary>The JSON's column: <c>schema.columnNames.data</c>. <c>data</c> by default; 1 to 64 characters.</summary>
    public string DataColumn { get; set; } = "data";

    /// <summary>How long a session lives without use whose cookie has no lifetime: <c>expiration</c>. One day by default; 1 second to 400 days.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Whether requests that change nothing leave the expiry as it is. False by default.</summary>
    public bool DisableTouch { get; set; }

    /// <summary>
    /// Whether the store makes the table if it is missing. True by default; when false, or where the database user may not, the start fails with the script
    /// that makes it.
    /// </summary>
    public bool CreateDatabaseTable { get; set; } = true;

    internal bool IsValid => IsName(TableName) && IsName(SessionIdColumn) && IsName(ExpiresColumn) && IsName(DataColumn)
        && TimeToLive >= TimeSpan.FromSeconds(1) && TimeToLive <= TimeSpan.FromDays(400);

    internal const string Rule =
        $"{nameof(ExpressMySqlSessionStoreOptions)}.{nameof(TableName)}, {nameof(SessionIdColumn)}, {nameof(ExpiresColumn)} and {nameof(DataColumn)} must be "
        + $"1 to 64 characters without a backtick, and {nameof(TimeToLive)} be 1 second to 400 days.";

    private static bool IsName(string? name) =>
        name is { Length: > 0 and <= 64 } && !name.Contains('`', StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal);
}
