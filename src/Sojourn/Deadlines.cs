namespace Sojourn;

/// <summary>When a session ends: idle slides with use, absolute does not move, the earlier one counts.</summary>
internal static class Deadlines
{
    public static DateTimeOffset ExpiresAt(DateTimeOffset now, TimeSpan idle, DateTimeOffset? absolute)
    {
        var sliding = now + idle;
        return absolute < sliding ? absolute.Value : sliding;
    }

    /// <summary>Whether moving the expiry is worth a write: not while it is fresher than the interval. Without an interval it is moved back, too.</summary>
    public static bool TouchIsDue(DateTimeOffset stored, DateTimeOffset fresh, TimeSpan interval) =>
        interval == TimeSpan.Zero ? fresh != stored : fresh > stored && fresh - stored >= interval;
}
