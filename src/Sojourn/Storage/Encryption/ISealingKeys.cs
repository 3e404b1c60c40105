namespace Sojourn.Storage.Encryption;

/// <summary>A key of 32 bytes, and the name that stands before what it sealed: letters, digits, <c>-</c> and <c>_</c>.</summary>
internal sealed record SealingKey(string Name, byte[] Bytes);

/// <summary>Where the keys come from that documents are sealed with. Thread-safe.</summary>
internal interface ISealingKeys
{
    /// <summary>The key that seals now.</summary>
    SealingKey Current { get; }

    /// <summary>The key of a name, or <see langword="null"/> when there is none. What it throws says that the keys cannot be had just now.</summary>
    byte[]? Find(string name);
}
