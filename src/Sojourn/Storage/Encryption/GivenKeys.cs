namespace Sojourn.Storage.Encryption;

/// <summary>The application's own keys: the first seals, all open.</summary>
internal sealed class GivenKeys(IEnumerable<SessionEncryptionKey> keys) : ISealingKeys
{
    private readonly SealingKey[] _keys = [.. keys.Select(key => new SealingKey(key.Name, Convert.FromBase64String(key.Key)))];

    public SealingKey Current => _keys[0];

    public byte[]? Find(string name) => Array.Find(_keys, key => key.Name == name)?.Bytes;
}
