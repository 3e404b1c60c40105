using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn;

/// <summary>Makes ids, and the keys that stores file sessions under.</summary>
internal sealed class SessionId
{
    public const int Bytes = 32;

    /// <summary>express-session's: 192 bits, 32 characters.</summary>
    public const int ExpressBytes = 24;
    private readonly byte[] _application;

    /// <summary>Each thread's own hash: setting one up costs as much as the hashing.</summary>
    [ThreadStatic]
    private static IncrementalHash? _sha;

    public SessionId(string applicationName)
    {
        // The NUL ends the name, so that no name and id together read as another name and id.
        _application = [.. Encoding.UTF8.GetBytes(applicationName), 0];
    }

    /// <summary>A new id: 256 random bits as 43 characters of base64url, or as many as the caller says.</summary>
    public static string New(int bytes = Bytes)
    {
        Span<byte> random = stackalloc byte[bytes];
        RandomNumberGenerator.Fill(random);
        return Base64Url.EncodeToString(random);
    }

    /// <summary>
    /// The id that follows on another when ids renew themselves: as good as a random one to whoever lacks the secret or the nonce, and to be made again from
    /// the old id while there is a nonce. No token is made of the same text, since no id holds a NUL.
    /// </summary>
    public static string After(string id, string nonce, byte[] secret) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"renewed\0{nonce}\0{id}")));

    /// <summary>A new handle: 128 random bits as 22 characters of base64url. It opens nothing.</summary>
    public static string NewHandle()
    {
        Span<byte> random = stackalloc byte[16];
        RandomNumberGenerator.Fill(random);
        return Base64Url.EncodeToString(random);
    }

    /// <summary>The key of an id in this application: what a thief of the database holds, and can do nothing with.</summary>
    public string KeyOf(string id)
    {
        var length = Encoding.UTF8.GetMaxByteCount(id.Length);
        Span<byte> text = length <= 512 ? stackalloc byte[length] : new byte[length];
        var sha = _sha ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(_application);
        sha.AppendData(text[..Encoding.UTF8.GetBytes(id, text)]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        sha.GetHashAndReset(hash);
        return Base64Url.EncodeToString(hash);
    }
}
