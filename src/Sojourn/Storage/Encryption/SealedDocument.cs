using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn.Storage.Encryption;

/// <summary>
/// A document as it is stored sealed: <c>{"$sealed":"&lt;name of the key&gt;.&lt;base64url&gt;"}</c> around nonce (12 bytes), ciphertext and tag (16) of
/// AES-256-GCM. It opens only under the key that the record was filed under when it was sealed.
/// </summary>
internal static class SealedDocument
{
    private const int NonceLength = 12;
    private const int TagLength = 16;

    private static ReadOnlySpan<byte> Before => "{\"$sealed\":\""u8;

    private static ReadOnlySpan<byte> After => "\"}"u8;

    private static ReadOnlySpan<byte> FormatName => "Sojourn sealed document 1\0"u8;

    public static bool IsSealed(ReadOnlySpan<byte> stored) => stored.StartsWith(Before);

    /// <summary>Seals a document for the one key that its record is filed under.</summary>
    public static byte[] Seal(ReadOnlySpan<byte> document, string filedUnder, SealingKey key)
    {
        var content = Before.Length + key.Name.Length + 1;
        var length = NonceLength + document.Length + TagLength;
        var stored = new byte[content + Base64Url.GetEncodedLength(length) + After.Length];
        Before.CopyTo(stored);
        Encoding.ASCII.GetBytes(key.Name, stored.AsSpan(Before.Length));
        stored[content - 1] = (byte)'.';
        var encoded = stored.AsSpan(content, stored.Length - content - After.Length);
        var nonce = encoded[..NonceLength];
        RandomNumberGenerator.Fill(nonce);
        var associated = AssociatedData(filedUnder);
        using (var aes = Cipher(key.Bytes, associated))
        {
            aes.Encrypt(nonce, document, encoded.Slice(NonceLength, document.Length), encoded.Slice(NonceLength + document.Length, TagLength), associated);
        }

        Base64Url.TryEncodeToUtf8InPlace(encoded, length, out _);
        After.CopyTo(stored.AsSpan(stored.Length - After.Length));
        return stored;
    }

    /// <summary>Opens what <see cref="Seal"/> made; <see langword="null"/> with the reason for anything else.</summary>
    public static byte[]? Open(ReadOnlySpan<byte> stored, string filedUnder, ISealingKeys keys, out string reason)
    {
        reason = RefusedBecause.NotSealed;
        if (!IsSealed(stored))
        {
            return null;
        }

        reason = RefusedBecause.Altered;
        var dot = stored.IndexOf((byte)'.');
        if (dot < 0 || !stored.EndsWith(After))
        {
            return null;
        }

        var encoded = stored[(dot + 1)..^After.Length];
        if (!Base64Url.IsValid(encoded, out var length) || Base64Url.GetEncodedLength(length) != encoded.Length || length < NonceLength + TagLength)
        {
            return null;
        }

        if (keys.Find(Encoding.Latin1.GetString(stored[Before.Length..dot])) is not { } key)
        {
            reason = RefusedBecause.UnknownKey;
            return null;
        }

        var content = new byte[length];
        Base64Url.DecodeFromUtf8(encoded, content);
        var document = new byte[length - NonceLength - TagLength];
        var associated = AssociatedData(filedUnder);
        using var aes = Cipher(key, associated);
        try
        {
            aes.Decrypt(
                content.AsSpan(0, NonceLength), content.AsSpan(NonceLength, document.Length), content.AsSpan(NonceLength + document.Length), document,
                associated);
            return document;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>
    /// Every record has a cipher key of its own: random nonces of 96 bits are good for 2^32 documents a key (NIST SP 800-38D, 8.3), which one key for
    /// all sessions would reach.
    /// </summary>
    private static AesGcm Cipher(byte[] key, byte[] associated) => new(HMACSHA256.HashData(key, associated), TagLength);

    private static byte[] AssociatedData(string filedUnder) => [.. FormatName, .. Encoding.UTF8.GetBytes(filedUnder)];
}

/// <summary>Why a stored document was not opened: the tags of a metric.</summary>
internal static class RefusedBecause
{
    /// <summary>It is in clear.</summary>
    public const string NotSealed = "not-sealed";

    /// <summary>No key has the name that it bears.</summary>
    public const string UnknownKey = "unknown-key";

    /// <summary>It is not what was sealed for this record: changed, cut, or moved here from another key.</summary>
    public const string Altered = "altered";
}
