namespace Sojourn;

/// <summary>
/// A cache with a set of four places for all hashes that are the same modulo the number of sets, so that few that are busy take each other's. Whoever finds
/// something there has to see whether it is what they look for. Thread-safe; what is searched most takes no lock.
/// </summary>
/// <param name="length">How many places: a power of two, and no less than four.</param>
internal sealed class SetAssociativeCache<T>(int length)
    where T : class
{
    private const int Ways = 4;

    /// <summary>Each set beside itself, hashes and values: one look at memory.</summary>
    private readonly Place[] _places = new Place[length];

    /// <summary>Which hashes came last to each set, the newest first.</summary>
    private readonly int[] _seen = new int[length];

    public int Length => _places.Length;

    public T? Find(int hash)
    {
        foreach (ref readonly var place in _places.AsSpan(SetOf(hash), Ways))
        {
            if (place.Hash == hash)
            {
                return Volatile.Read(in place.Value);
            }
        }

        return null;
    }

    /// <summary>Whether a hash comes again before four others came to its set: only then is it worth remembering.</summary>
    public bool IsAgain(int hash)
    {
        var seen = _seen.AsSpan(SetOf(hash), Ways);
        if (seen.Contains(hash))
        {
            return true;
        }

        seen[..^1].CopyTo(seen[1..]);
        seen[0] = hash;
        return false;
    }

    /// <summary>Gives the value a place: its hash's own, or else an empty one, or else that of another hash, always the same.</summary>
    /// <returns>What was there before.</returns>
    public T? Remember(int hash, T value)
    {
        lock (_seen)
        {
            ref var place = ref PlaceFor(hash);
            var before = place.Value;
            place.Hash = hash;
            Volatile.Write(ref place.Value, value);
            return before;
        }
    }

    public void Forget(int hash)
    {
        lock (_seen)
        {
            ref var place = ref PlaceFor(hash);
            if (place.Hash == hash)
            {
                place.Value = null;
            }
        }
    }

    private ref Place PlaceFor(int hash)
    {
        var set = _places.AsSpan(SetOf(hash), Ways);
        var found = -1;
        for (var i = 0; i < Ways; i++)
        {
            if (set[i].Hash == hash)
            {
                return ref set[i];
            }

            if (found < 0 && set[i].Value is null)
            {
                found = i;
            }
        }

        return ref set[found < 0 ? (int)((uint)hash >> 30) : found];
    }

    private int SetOf(int hash) => (hash & ((_places.Length / Ways) - 1)) * Ways;

    private struct Place
    {
        public int Hash;
        public T? Value;
    }
}
