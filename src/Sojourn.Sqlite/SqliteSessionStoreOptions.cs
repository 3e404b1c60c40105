namespace Sojourn.Sqlite;

/// <summary>What can be set about <see cref="SqliteSessionStore"/>. Read once, when the store is made.</summary>
public sealed class SqliteSessionStoreOptions
{
    /// <summary>What an acknowledged change survives; <see cref="SqliteDurability.Full"/> by default: also a loss of power.</summary>
    public SqliteDurability Durability { get; set; } = SqliteDurability.Full;

    /// <summary>
    /// How long a write waits for another process that is writing to the same file, before it fails with <see cref="SqliteStoreException"/>.
    /// 0 to 1 minute; 5 seconds by default. Writers of the same process never wait for it.
    /// </summary>
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(5);

    internal bool IsValid => Enum.IsDefined(Durability) && BusyTimeout >= TimeSpan.Zero && BusyTimeout <= TimeSpan.FromMinutes(1);

    internal const string Rule = $"{nameof(SqliteSessionStoreOptions)}.{nameof(BusyTimeout)} must be 0 to 1 minute and {nameof(Durability)} one of "
        + $"{nameof(SqliteDurability)}.";
}
