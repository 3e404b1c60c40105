namespace Sojourn;

/// <summary>
/// How documents are sealed. Bound from the configuration section <c>Sojourn:Encryption</c>, then by code; checked when the application starts.
/// </summary>
/// <remarks>Read once at start; a later change has no effect.</remarks>
public sealed class SessionEncryptionOptions
{
    /// <summary>
    /// The keys: the first seals, all open, so that a new key is put in front and the old one removed when the sessions that it sealed have ended or were
    /// written again. None by default; one is needed, unless another source of keys was chosen.
    /// </summary>
    public IList<SessionEncryptionKey> Keys { get; } = [];

    /// <summary>
    /// Reads documents in clear, too, and seals them when they are next written. False by default: a document in clear is refused, since whoever can write to
    /// the database could have put it there. Set it only to switch encryption on over a store that has sessions already, and not for longer than those live.
    /// </summary>
    public bool AllowPlaintext { get; set; }

    /// <summary>Makes another source of keys around the given ones.</summary>
    internal Func<IServiceProvider, Storage.Encryption.ISealingKeys, Storage.Encryption.ISealingKeys>? KeySource { get; set; }
}

/// <summary>A key that documents are sealed with.</summary>
public sealed class SessionEncryptionKey
{
    /// <summary>
    /// What the key is called, for instance after the month in which it was made: 1 to 64 characters of <c>A-Z a-z 0-9 - _</c>. It is stored in clear with
    /// every document, and never given to another key.
    /// </summary>
    public string Name { get; set; } = "";

    /// <summary>32 random bytes as base64: <c>openssl rand -base64 32</c>.</summary>
    public string Key { get; set; } = "";
}
