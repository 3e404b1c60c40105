namespace Sojourn.MySql;

/// <summary>What can be set about <see cref="MySqlSessionStore"/>. Read once, when the store is made.</summary>
public sealed class MySqlSessionStoreOptions
{
    /// <summary>
    /// A connection string of MySqlConnector that names a database, such as <c>Server=localhost;Database=shop;User ID=shop;Password=…</c>. None by default;
    /// not read where the application gives its own data source.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>What the names of all tables begin with. <c>sojourn_</c> by default; 1 to 32 of <c>A-Z a-z 0-9 _</c>.</summary>
    public string TablePrefix { get; set; } = "sojourn_";

    /// <summary>
    /// Whether the store makes the tables that are missing. True by default; when false, or where the database user may not, the start fails with the
    /// script that makes them.
    /// </summary>
    public bool CreateSchema { get; set; } = true;

    internal bool IsValid => TablePrefix is { Length: > 0 and <= 32 } && TablePrefix.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');

    internal const string Rule = $"{nameof(MySqlSessionStoreOptions)}.{nameof(TablePrefix)} must be 1 to 32 of A-Z a-z 0-9 _: it sets Sojourn's tables apart "
        + "from others of the database.";
}
