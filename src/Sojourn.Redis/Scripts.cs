namespace Sojourn.Redis;

/// <summary>
/// What runs in the server, atomically and on one key. Of the writes of a record 0 is gone, 1 is done, anything else is the fresh value of a conflict.
/// </summary>
internal static class Scripts
{
    /// <summary>Numbers stand as text, since Lua would print them into it.</summary>
    private const string IfVersion = """
        local call, key = redis.call, KEYS[1]
        local head = call('GETRANGE', key, '0', '8')
        if head ~= ARGV[1] then
            if head == '' then return 0 end
            return call('GET', key)
        end

        """;

    /// <summary>Value, milliseconds since 1970 at which Redis drops it.</summary>
    public const string Create = """
        if redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2], 'NX') then return 1 end
        return 0
        """;

    /// <summary>Head, value, milliseconds since 1970 at which Redis drops it; channel and message, where it is told.</summary>
    public const string Replace = IfVersion + """
        call('SET', key, ARGV[2], 'PXAT', ARGV[3])
        if ARGV[4] then call('PUBLISH', ARGV[4], ARGV[5]) end
        return 1
        """;

    /// <summary>Head, expiry, milliseconds since 1970 at which Redis drops it.</summary>
    public const string Touch = IfVersion + """
        call('SETRANGE', key, '9', ARGV[2])
        call('PEXPIREAT', key, ARGV[3])
        return 1
        """;

    /// <summary>Head; channel and message, where it is told.</summary>
    public const string Delete = IfVersion + """
        call('DEL', key)
        if ARGV[2] then call('PUBLISH', ARGV[2], ARGV[3]) end
        return 1
        """;

    /// <summary>The byte that says which format; channel and message, where it is told. Gives the value; one of another format is left alone.</summary>
    public const string Take = """
        local value = redis.call('GET', KEYS[1])
        if not value or string.sub(value, 1, 1) ~= ARGV[1] then return value end
        redis.call('DEL', KEYS[1])
        if ARGV[2] then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
        return value
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

    /// <summary>Whatever is there.</summary>
    public const string DeleteAnything = "return redis.call('DEL', KEYS[1])";

    private const string Now = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        """;

    /// <summary>Key, milliseconds that the label lives on at least. Gives how many keys it has.</summary>
    public const string AddLabel = Now + """
        redis.call('ZADD', KEYS[1], now, ARGV[1])
        if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        return redis.call('ZCARD', KEYS[1])
        """;

    /// <summary>The time by which a label's entries are added, in milliseconds since 1970.</summary>
    public const string LabelTime = Now + "return now";

    /// <summary>Takes a key off a label, unless it was added at the given time or later: key, time.</summary>
    public const string RemoveLabel = """
        local added = redis.call('ZSCORE', KEYS[1], ARGV[1])
        if added and tonumber(added) < tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
        return 0
        """;

    /// <summary>0 where there was no entry, 1 where there was; the entry as it was read, entry, milliseconds since 1970 at which Redis drops it.</summary>
    public const string ReplaceSubject = """
        local entry = redis.call('GET', KEYS[1])
        if ARGV[1] == '0' and entry or ARGV[1] == '1' and entry ~= ARGV[2] then return 0 end
        redis.call('SET', KEYS[1], ARGV[3], 'PXAT', ARGV[4])
        return 1
        """;

    /// <summary>Owner, milliseconds.</summary>
    public const string TakeLease = """
        local owner = redis.call('GET', KEYS[1])
        if owner and owner ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
        return 1
        """;

    /// <summary>Owner.</summary>
    public const string ReleaseLease = """
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """;
}
