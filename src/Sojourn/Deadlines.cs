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

    /// <summary>A twentieth of the idle time, and five minutes at the most, so that a list of sessions tells when each was last seen; or what the options say.</summary>
    public static TimeSpan TouchInterval(SojournOptions options, TimeSpan? ownIdleTimeout)
    {
        if (options.TouchInterval is { } interval)
        {
            return interval;
        }

        var share = (ownIdleTimeout ?? options.IdleTimeout) / 20;
        return share < LongestTouchInterval ? share : LongestTouchInterval;
    }

    /// <summary>Whether moving the expiry is worth a write: not while it is fresher than the interval. Without an interval it is moved back, too.</summary>
    public static bool TouchIsDue(DateTimeOffset stored, DateTimeOffset fresh, TimeSpan interval) =>
        interval == TimeSpan.Zero ? fresh != stored : fresh > stored && fresh - stored >= interval;
}
