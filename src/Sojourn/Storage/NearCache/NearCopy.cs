namespace Sojourn.Storage.NearCache;

/// <summary>One copy of a near cache. Whoever was given it out sees by itself whether the cache still has it.</summary>
internal sealed class NearCopy(string key, SessionRecord record, long beganAt)
{
    /// <summary>What a copy takes besides the texts and bytes that it holds: the objects, and their places in the dictionary and the list.</summary>
    private const int Overhead = 400;

    private volatile bool _isDropped;

    public string Key => key;

    public SessionRecord Record => record;

    /// <summary>When the call of the store began that gave it, as a timestamp.</summary>
    public long BeganAt => beganAt;

    /// <summary>Whether the cache has it no more: said before another one takes its place, and never taken back.</summary>
    public bool IsDropped => _isDropped;

    public bool IsUsed { get; set; }

    public long Bytes { get; } =
        Overhead + (2 * key.Length) + record.Document.Length + record.Version.Content.Length + record.Labels.Sum(static label => 24 + (2 * label.Length));

    public void Drop() => _isDropped = true;
}
