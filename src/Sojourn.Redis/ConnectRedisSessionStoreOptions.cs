namespace Sojourn.Redis;

/// <summary>connect-redis's options by their meanings and defaults, and ours. Read once, when the store is made.</summary>
public sealed class ConnectRedisSessionStoreOptions
{
    /// <summary>
    /// A configuration of StackExchange.Redis, such as <c>localhost:6379</c>: set by <c>UseConnectRedis(connectionString)</c>, or with the other options from a
    /// section of the configuration. Unused where the application gives its own connection.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>What the names of all keys begin with. <c>sess:</c> by default; not empty.</summary>
    public string KeyPrefix { get; set; } = "sess:";

    /// <summary>How long a session lives without use whose cookie has no lifetime. One day by default; 1 second to 400 days.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Whether requests that change nothing leave the expiry as it is. False by default.</summary>
    public bool DisableTouch { get; set; }

    /// <summary>
    /// How many replicas have to confirm a write before it counts; one that fewer confirm within a second fails. 0 by default, 0 to 10: a failover may then
    /// lose what was acknowledged last. Needs a connection of the store's own, not the application's.
    /// </summary>
    public int WaitForReplicas { get; set; }

    internal bool IsValid =>
        !string.IsNullOrEmpty(KeyPrefix) && TimeToLive >= TimeSpan.FromSeconds(1) && TimeToLive <= TimeSpan.FromDays(400) && WaitForReplicas is >= 0 and <= 10;

    internal const string Rule =
        $"{nameof(ConnectRedisSessionStoreOptions)}.{nameof(KeyPrefix)} must not be empty, {nameof(TimeToLive)} be 1 second to 400 days, and "
        + $"{nameof(WaitForReplicas)} 0 to 10.";
}
