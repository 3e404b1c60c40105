namespace Sojourn.Redis;

/// <summary>What runs in the server, atomically and on one key: 0 is gone, 1 is done, anything else is the fresh value of a conflict.</summary>
internal static class Scripts
{
    private const string IfVersion = """
        local head = redis.call('GETRANGE', KEYS[1], 0, 8)
        if #head == 0 then return 0 end
        if head ~= ARGV[1] then return redis.call('GET', KEYS[1]) end

        """;

    /// <summary>Head, value, milliseconds since 1970 at which Redis drops it.</summary>
    public const string Replace = IfVersion + """
        redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
        return 1
        """;

    /// <summary>Head, expiry, milliseconds since 1970 at which Redis drops it.</summary>
    public const string Touch = IfVersion + """
        redis.call('SETRANGE', KEYS[1], 9, ARGV[2])
        redis.call('PEXPIREAT', KEYS[1], ARGV[3])
        return 1
        """;

    /// <summary>Head.</summary>
    public const string Delete = IfVersion + """
        redis.call('DEL', KEYS[1])
        return 1
        """;

    private const string IfContent = """
        local text = redis.call('GET', KEYS[1])
        if not text then return 0 end
        if text ~= ARGV[1] then return { text, redis.call('PTTL', KEYS[1]) } end

        """;

    /// <summary>Gives the text and the milliseconds that it has left; below zero where it has no end.</summary>
    public const string ReadWithExpiry = """
        local text = redis.call('GET', KEYS[1])
        if not text then return false end
        return { text, redis.call('PTTL', KEYS[1]) }
        """;

    /// <summary>Text, seconds to live. What has none left is not stored.</summary>
    public const string CreateContent = """
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
        return 1
        """;

    /// <summary>Text as it was read, text, seconds to live.</summary>
    public const string ReplaceContent = IfContent + """
        if tonumber(ARGV[3]) > 0 then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) else redis.call('DEL', KEYS[1]) end
        return 1
        """;

    /// <summary>Text as it was read, seconds to live.</summary>
    public const string TouchContent = IfContent + """
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        return 1
        """;

    /// <summary>Text as it was read.</summary>
    public const string DeleteContent = IfContent + """
        redis.call('DEL', KEYS[1])
        return 1
        """;

    /// <summary>Takes a member off a sorted set, unless it was added after the given time: key, time.</summary>
    public const string RemoveOlder = """
        local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
        if score and tonumber(score) <= tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
        return 0
        """;
}
