namespace Sojourn.Dashboard.Metrics;

/// <summary>
/// One running total: added to by whoever measures, at the cost of one interlocked addition, and brought into the rings now and then. Adding is thread-safe,
/// the rest is for the holder of the reader's lock.
/// </summary>
internal sealed class MetricCell
{
    private readonly TimeRing _fine = new(TimeRange.FineSlot, (int)(TimeRange.FineKept / TimeRange.FineSlot));
    private readonly TimeRing _coarse = new(TimeRange.CoarseSlot, (int)(TimeRange.Longest.Length / TimeRange.CoarseSlot));
    private long _total;
    private long _collected;

    public void Add(long amount) => Interlocked.Add(ref _total, amount);

    /// <summary>Files what was added since the last time.</summary>
    public void Collect(DateTimeOffset now)
    {
        var total = Interlocked.Read(ref _total);
        if (total != _collected)
        {
            _fine.Add(now, total - _collected);
            _coarse.Add(now, total - _collected);
            _collected = total;
        }
    }

    /// <summary>The amounts of a range, one a point, the oldest first.</summary>
    public long[] Points(TimeRange range, DateTimeOffset now)
    {
        var (ring, slot) = range.IsFine ? (_fine, TimeRange.FineSlot) : (_coarse, TimeRange.CoarseSlot);
        var each = (int)(range.Point / slot);
        var slots = ring.Last(now, range.Points * each);
        var points = new long[range.Points];
        for (var i = 0; i < slots.Length; i++)
        {
            points[i / each] += slots[i];
        }

        return points;
    }
}
