namespace Sojourn.ExpressConformance;

/// <summary>The counter of the generator <c>{"$seq": "p"}</c>.</summary>
internal sealed class IdSequence
{
    private int _last;

    public int Next() => Interlocked.Increment(ref _last);

    public void Reset() => _last = 0;
}
