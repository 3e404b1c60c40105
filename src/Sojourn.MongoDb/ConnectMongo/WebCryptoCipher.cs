using System.Security.Cryptography;
using System.Text;

namespace Sojourn.MongoDb.ConnectMongo;

/// <summary>
/// What connect-mongo's <c>createWebCryptoAdapter({ secret })</c> writes with its defaults: base64 of iv (12 bytes), ciphertext and tag (16) of AES-256-GCM
/// over the session's JSON; the key by PBKDF2-HMAC-SHA256. Thread-safe.
/// </summary>
internal sealed class WebCryptoCipher : ISessionCipher
{
    private const int Iterations = 310_000;
    private const int IvLength = 12;
    private const int TagLength = 16;
    private readonly byte[] _key;

    /// <param name="secret">The secret that the Node application has. Deriving the key from it takes a moment, once.</param>
    public WebCryptoCipher(string secret) =>
        _key = Rfc2898DeriveBytes.Pbkdf2(
            Encoding.UTF8.GetBytes(secret), "connect-mongo:webcrypto-default-salt"u8, Iterations, HashAlgorithmName.SHA256, outputLength: 32);

    public string Encrypt(ReadOnlySpan<byte> json)
    {
        var sealedBytes = new byte[IvLength + json.Length + TagLength];
        var iv = sealedBytes.AsSpan(0, IvLength);
        RandomNumberGenerator.Fill(iv);
        using var aes = new AesGcm(_key, TagLength);
        aes.Encrypt(iv, json, sealedBytes.AsSpan(IvLength, json.Length), sealedBytes.AsSpan(IvLength + json.Length));
        return Convert.ToBase64String(sealedBytes);
    }

    public byte[] Decrypt(string text)
    {
        var sealedBytes = SessionCipher.FromBase64(text);
        if (sealedBytes.Length < IvLength + TagLength)
        {
            throw new CryptographicException("The session's ciphertext is too short.");
        }

        var json = new byte[sealedBytes.Length - IvLength - TagLength];
        using var aes = new AesGcm(_key, TagLength);
        aes.Decrypt(sealedBytes.AsSpan(0, IvLength), sealedBytes.AsSpan(IvLength, json.Length), sealedBytes.AsSpan(IvLength + json.Length), json);
        return json;
    }
}
