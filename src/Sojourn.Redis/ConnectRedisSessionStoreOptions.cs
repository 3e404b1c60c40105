namespace Sojourn.Redis;

/// <summary>connect-redis's options by their meanings and defaults. Read once, when the store is made.</summary>
public sealed class ConnectRedisSessionStoreOptions
{
    /// <summary>What the names of all keys begin with. <c>sess:</c> by default; not empty.</summary>
    public string KeyPrefix { get; set; } = "sess:";

    /// <summary>How long a session lives without use whose cookie has no lifetime. One day by default; 1 second to 400 days.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Whether requests that change nothing leave the expiry as it is. False by default.</summary>
    public bool DisableTouch { get; set; }

    internal bool IsValid => !string.IsNullOrEmpty(KeyPrefix) && TimeToLive >= TimeSpan.FromSeconds(1) && TimeToLive <= TimeSpan.FromDays(400);

    internal const string Rule = $"{nameof(ConnectRedisSessionStoreOptions)}.{nameof(KeyPrefix)} must not be empty, and {nameof(TimeToLive)} be 1 second to 400 days.";
}
