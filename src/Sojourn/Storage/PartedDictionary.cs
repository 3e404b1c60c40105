using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Sojourn.Storage;

/// <summary>A dictionary of very many keys, in small parts, one more of them with every few hundred keys. Not thread-safe.</summary>
/// <remarks>
/// Of a large array that objects were put into, the garbage collector looks through all that lies between the first and the last of them, at every collection
/// until they are old. Ten million sessions in a few large arrays made each collection take 60 ms as soon as anybody wrote; in arrays of a few hundred it finds
/// what was written almost at once.
/// </remarks>
internal sealed class PartedDictionary<TValue> : IEnumerable<KeyValuePair<string, TValue>>
{
    private const int KeysPerPart = 600;

    /// <summary>Linear hashing: one part is split at a time, in turn, so that nobody waits for all of them.</summary>
    private readonly List<Dictionary<string, TValue>> _parts = [NewPart(0)];

    /// <summary>The smallest of 0, 1, 3, 7… by which every part can be chosen.</summary>
    private int _mask;

    public int Count { get; private set; }

    public TValue? GetValueOrDefault(string key) => PartOf(key).GetValueOrDefault(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out TValue value) => PartOf(key).TryGetValue(key, out value);

    public bool ContainsKey(string key) => PartOf(key).ContainsKey(key);

    /// <summary>Where the value of a key is, to be replaced before anything else is done; a null reference where the key is not there.</summary>
    public ref TValue GetRefOrNull(string key) => ref CollectionsMarshal.GetValueRefOrNullRef(PartOf(key), key);

    /// <exception cref="ArgumentException">The key is there.</exception>
    public void Add(string key, TValue value)
    {
        PartOf(key).Add(key, value);
        if (++Count > _parts.Count * KeysPerPart)
        {
            Split();
        }
    }

    public bool Remove(string key)
    {
        var isThere = PartOf(key).Remove(key);
        Count -= isThere ? 1 : 0;
        return isThere;
    }

    public IEnumerator<KeyValuePair<string, TValue>> GetEnumerator()
    {
        foreach (var part in _parts)
        {
            foreach (var pair in part)
            {
                yield return pair;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static Dictionary<string, TValue> NewPart(int keys) => new(keys, StringComparer.Ordinal);

    private Dictionary<string, TValue> PartOf(string key) => _mask == 0 ? _parts[0] : _parts[IndexOf(key)];

    private int IndexOf(string key)
    {
        // The lowest bits may be the same for all keys here: they have chosen among dictionaries side by side.
        var index = (key.GetHashCode(StringComparison.Ordinal) >> 8) & _mask;
        return index < _parts.Count ? index : index & (_mask >> 1);
    }

    private void Split()
    {
        if (_parts.Count > _mask)
        {
            _mask = (2 * _mask) + 1;
        }

        var split = _parts.Count & (_mask >> 1);
        var keys = _parts[split];
        _parts[split] = NewPart(keys.Count / 2);
        _parts.Add(NewPart(keys.Count / 2));
        foreach (var (key, value) in keys)
        {
            _parts[IndexOf(key)].Add(key, value);
        }
    }
}
