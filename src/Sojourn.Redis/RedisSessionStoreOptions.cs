namespace Sojourn.Redis;

/// <summary>What can be set about <see cref="RedisSessionStore"/>. Read once, when the store is made.</summary>
public sealed class RedisSessionStoreOptions
{
    /// <summary>What the names of all keys begin with. <c>sojourn:</c> by default; not empty.</summary>
    public string KeyPrefix { get; set; } = "sojourn:";

    internal bool IsValid => !string.IsNullOrEmpty(KeyPrefix);

    internal const string Rule = $"{nameof(RedisSessionStoreOptions)}.{nameof(KeyPrefix)} must not be empty: it sets sessions apart from other keys of the server.";
}
