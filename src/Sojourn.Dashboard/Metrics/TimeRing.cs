namespace Sojourn.Dashboard.Metrics;

/// <summary>Amounts by the time they fell into: the last so many slots of a length, and nothing older. Not thread-safe.</summary>
internal sealed class TimeRing(TimeSpan slot, int count)
{
    private readonly long[] _amounts = new long[count];
    private long _newest = -1;

    public void Add(DateTimeOffset at, long amount)
    {
        var index = MoveTo(at);
        _amounts[index] += amount;
    }

    /// <summary>The last slots up to the one that <paramref name="now"/> falls into, the oldest first.</summary>
    public long[] Last(DateTimeOffset now, int slots)
    {
        MoveTo(now);
        var last = new long[slots];
        for (var i = 0; i < slots; i++)
        {
            last[i] = _amounts[(int)((_newest - slots + 1 + i + count) % count)];
        }

        return last;
    }

    /// <summary>Makes the slot of a time the newest, and empties those between. A clock that went back adds to the newest.</summary>
    private int MoveTo(DateTimeOffset at)
    {
        var number = at.UtcTicks / slot.Ticks;
        if (_newest < 0 || number - _newest >= count)
        {
            Array.Clear(_amounts);
            _newest = Math.Max(number, _newest);
        }

        for (; _newest < number; _newest++)
        {
            _amounts[(int)((_newest + 1) % count)] = 0;
        }

        return (int)(_newest % count);
    }
}
