namespace Sojourn;

/// <summary>When a session ends: idle slides with use, absolute does not move, the earlier one counts.</summary>
internal static class Deadlines
{
    private static readonly TimeSpan LongestTouchInterval = TimeSpan.FromMinutes(5);

    public static DateTimeOffset ExpiresAt(DateTimeOffset now, TimeSpan idle, DateTimeOffset? absolute)
    {
        var sliding = now + idle;
        return absolute < sliding ? absolute.Value : sliding;
    }

    /// <summary>
    /// What the options ask for, where that is less than the idle time; or a twentieth of the idle time, and five minutes at the most, so that a list of
    /// sessions tells when each was last seen. That is shortened by up to a quarter, by each session's key: sessions that began together, after a restart or
    /// an alarm, are not touched together for ever after.
    /// </summary>
    public static TimeSpan TouchInterval(TimeSpan? asked, TimeSpan idleTimeout, string key)
    {
        if (asked < idleTimeout)
        {
            return asked.Value;
        }

        var longest = Math.Min(idleTimeout.Ticks / 20, LongestTouchInterval.Ticks);
        return new(longest - (longest / 1024 * ((uint)KeyHash.Of(key) % 256)));
    }

    /// <summary>
    /// Until when a record of this expiry is alive, and no touch of it is due: whoever reads it has nothing else to look at. Without an interval there is no
    /// such time.
    /// </summary>
    public static DateTimeOffset QuietUntil(DateTimeOffset stored, TimeSpan lifetime, TimeSpan interval, DateTimeOffset? absolute)
    {
        if (interval == TimeSpan.Zero)
        {
            return DateTimeOffset.MinValue;
        }

        var until = interval < lifetime ? stored - lifetime + interval : stored;
        return absolute < until ? absolute.Value : until;
    }

    /// <summary>Whether moving the expiry is worth a write: not while it is fresher than the interval. Without an interval it is moved back, too.</summary>
    public static bool TouchIsDue(DateTimeOffset stored, DateTimeOffset fresh, TimeSpan interval) =>
        interval == TimeSpan.Zero ? fresh != stored : fresh > stored && fresh - stored >= interval;
}
