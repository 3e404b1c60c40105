namespace Sojourn;

/// <summary>
/// A cache with one place for all hashes that are the same modulo their number. Whoever finds something there has to see whether it is what they look for.
/// Thread-safe.
/// </summary>
/// <param name="length">How many places: a power of two.</param>
internal sealed class DirectMappedCache<T>(int length)
    where T : class
{
    private readonly T?[] _places = new T?[length];

    /// <summary>Which hash came last to each place.</summary>
    private readonly int[] _seen = new int[length];

    public int Length => _places.Length;

    public T? Find(int hash) => Volatile.Read(ref _places[IndexOf(hash)]);

    /// <summary>Whether a hash comes again before another one came to its place: only then is it worth remembering.</summary>
    public bool IsAgain(int hash)
    {
        ref var seen = ref _seen[IndexOf(hash)];
        var isAgain = seen == hash;
        seen = hash;
        return isAgain;
    }

    public void Remember(int hash, T value) => Volatile.Write(ref _places[IndexOf(hash)], value);

    public void Forget(int hash) => Volatile.Write(ref _places[IndexOf(hash)], null);

    private int IndexOf(int hash) => hash & (_places.Length - 1);
}
