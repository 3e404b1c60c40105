namespace Sojourn.Redis;

/// <summary>What can be set about <see cref="RedisSessionStore"/>. Read once, when the store is made.</summary>
public sealed class RedisSessionStoreOptions
{
    /// <summary>
    /// A configuration of StackExchange.Redis, such as <c>localhost:6379</c>: set by <c>UseRedis(connectionString)</c>, or with the other options from a
    /// section of the configuration. Unused where the application gives its own connection.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>
    /// What the names of all keys begin with. <c>sojourn:</c> by default; it ends with a colon, so that the sessions of <c>shop:</c> are none of
    /// <c>shop:admin:</c>'s.
    /// </summary>
    public string KeyPrefix { get; set; } = "sojourn:";

    /// <summary>
    /// Whether writes tell listeners in other processes (<see cref="Storage.ISessionNotifications"/>), by a PUBLISH in the script that writes. False by
    /// default. To be set alike in every application that shares the sessions.
    /// </summary>
    public bool Notifications { get; set; }

    /// <summary>
    /// How many replicas have to confirm a write before it counts; one that fewer confirm within a second fails. 0 by default, 0 to 10: a failover may then
    /// lose what was acknowledged last. Needs a connection of the store's own, not the application's.
    /// </summary>
    public int WaitForReplicas { get; set; }

    internal bool IsValid => KeyPrefix is [_, .., ':'] && WaitForReplicas is >= 0 and <= 10;

    internal const string Rule =
        $"{nameof(RedisSessionStoreOptions)}.{nameof(KeyPrefix)} must be a name and a colon, such as shop:, which sets sessions apart from other "
        + $"keys of the server, and {nameof(WaitForReplicas)} 0 to 10.";
}
