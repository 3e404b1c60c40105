namespace Sojourn.Storage;

/// <summary>
/// Files keys by the minute in which they have to be looked at: a wheel of the next 64 minutes. A key may be looked at too early, never
/// too late, so an expiry that moves on leaves its key where it is, and one beyond the wheel's end is filed at its end. Not thread-safe.
/// </summary>
internal sealed class ExpiryWheel(DateTimeOffset now)
{
    private const int Slots = 64;
    private readonly List<string>?[] _slots = new List<string>?[Slots];
    private long _first = MinuteOf(now);

    /// <summary>How many keys are filed; one filed twice counts twice.</summary>
    public int Count { get; private set; }

    /// <summary>Whether an expiry that moves from one time to the other has to be filed again so as not to be seen too late.</summary>
    public static bool MovesForward(DateTimeOffset from, DateTimeOffset to) => MinuteOf(to) < MinuteOf(from);

    public void File(string key, DateTimeOffset expiresAt)
    {
        var minute = Math.Clamp(MinuteOf(expiresAt), _first, _first + Slots - 1);
        (_slots[minute % Slots] ??= []).Add(key);
        Count++;
    }

    /// <summary>Takes out every key whose expiry may have passed; whoever takes one and keeps the record files it again.</summary>
    public List<string> TakeDue(DateTimeOffset now)
    {
        var last = Math.Max(_first, MinuteOf(now));
        List<string> due = [];
        for (var minute = Math.Max(_first, last - Slots + 1); minute <= last; minute++)
        {
            if (_slots[minute % Slots] is not { } slot) continue;
            _slots[minute % Slots] = null;
            due.AddRange(slot);
        }
        _first = last;
        Count -= due.Count;
        return due;
    }

    public void Clear()
    {
        Array.Clear(_slots);
        Count = 0;
    }

    private static long MinuteOf(DateTimeOffset time) => time.UtcTicks / TimeSpan.TicksPerMinute;
}
