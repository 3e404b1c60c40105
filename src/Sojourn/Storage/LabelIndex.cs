namespace Sojourn.Storage;

/// <summary>
/// Label -> keys, in memory. Thread-safe; its locks are the last that anybody takes. Most labels belong to one session, so a single key is
/// kept as it is and a set is made for the second.
/// </summary>
internal sealed class LabelIndex
{
    private readonly Shard[] _shards = [.. Enumerable.Range(0, 16).Select(_ => new Shard())];

    public void Add(string label, string key)
    {
        var shard = ShardOf(label);
        lock (shard.Gate)
        {
            switch (shard.Keys.GetValueOrDefault(label))
            {
                case null:
                    shard.Keys.Add(label, key);
                    break;
                case HashSet<string> keys:
                    keys.Add(key);
                    break;
                case string only when only != key:
                    shard.Keys.GetRefOrNull(label) = new HashSet<string>(StringComparer.Ordinal) { only, key };
                    break;
            }
        }
    }

    public void Remove(string label, string key)
    {
        var shard = ShardOf(label);
        lock (shard.Gate)
        {
            var last = shard.Keys.GetValueOrDefault(label) switch
            {
                string only => only == key,
                HashSet<string> keys => keys.Remove(key) && keys.Count == 0,
                _ => false,
            };
            if (last) shard.Keys.Remove(label);
        }
    }

    public string[] KeysOf(string label)
    {
        var shard = ShardOf(label);
        lock (shard.Gate)
        {
            return shard.Keys.GetValueOrDefault(label) switch
            {
                string only => [only],
                HashSet<string> keys => [.. keys],
                _ => [],
            };
        }
    }

    private Shard ShardOf(string label) => _shards[(uint)label.GetHashCode(StringComparison.Ordinal) % _shards.Length];

    private sealed class Shard
    {
        public Lock Gate { get; } = new();

        /// <summary>A <see cref="string"/> or a <see cref="HashSet{T}"/> of them.</summary>
        public PartedDictionary<object> Keys { get; } = new();
    }
}
