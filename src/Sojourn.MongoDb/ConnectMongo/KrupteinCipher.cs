using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sojourn.MongoDb.ConnectMongo;

/// <summary>
/// What connect-mongo's older option <c>crypto: { secret }</c> writes through the package kruptein: base64 of a DER sequence of six octet strings, namely the
/// ciphertext of AES-256-GCM as base64 text, its HMAC-SHA512 as base64 text, iv, salt, tag, and the additional data as base64 text. The plaintext is the
/// session's JSON as a JSON string; the key comes by PBKDF2-HMAC-SHA512 with each text's own salt. Thread-safe.
/// </summary>
internal sealed class KrupteinCipher(string secret) : ISessionCipher
{
    private const int Iterations = 15_000;
    private const int IvLength = 12;
    private const int TagLength = 16;
    private const int SaltLength = 128;

    private readonly byte[] _secret = Encoding.UTF8.GetBytes(secret);

    public string Encrypt(ReadOnlySpan<byte> json)
    {
        var plaintext = Encoding.UTF8.GetBytes(
            '"' + JsonEncodedText.Encode(Encoding.UTF8.GetString(json), JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString() + '"');
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        var key = DeriveKey(salt);
        var iv = RandomNumberGenerator.GetBytes(IvLength);
        var additional = HMACSHA512.HashData(RandomNumberGenerator.GetBytes(SaltLength), plaintext);
        var (ciphertext, tag) = (new byte[plaintext.Length], new byte[TagLength]);
        using var aes = new AesGcm(key, TagLength);
        aes.Encrypt(iv, plaintext, ciphertext, tag, additional);
        var text = Base64Text(ciphertext);
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach (var part in (byte[][])[text, Mac(key, text), iv, salt, tag, Base64Text(additional)])
            {
                writer.WriteOctetString(part);
            }
        }

        return Convert.ToBase64String(writer.Encode());
    }

    public byte[] Decrypt(string text)
    {
        try
        {
            var sequence = new AsnReader(SessionCipher.FromBase64(text), AsnEncodingRules.DER).ReadSequence();
            var (ciphertext, mac, iv) = (sequence.ReadOctetString(), sequence.ReadOctetString(), sequence.ReadOctetString());
            var (salt, tag, additional) = (sequence.ReadOctetString(), sequence.ReadOctetString(), sequence.ReadOctetString());
            var key = DeriveKey(salt);
            if (!CryptographicOperations.FixedTimeEquals(Mac(key, ciphertext), mac))
            {
                throw new CryptographicException("The session's ciphertext was altered, or written with another secret.");
            }

            var sealedBytes = SessionCipher.FromBase64(Encoding.ASCII.GetString(ciphertext));
            var plaintext = new byte[sealedBytes.Length];
            using var aes = new AesGcm(key, TagLength);
            aes.Decrypt(iv, sealedBytes, tag, plaintext, SessionCipher.FromBase64(Encoding.ASCII.GetString(additional)));
            var reader = new Utf8JsonReader(plaintext);
            return reader.Read() && reader.TokenType == JsonTokenType.String
                ? Encoding.UTF8.GetBytes(reader.GetString()!)
                : throw new CryptographicException("The session's plaintext is no JSON string.");
        }
        catch (Exception e) when (e is AsnContentException or JsonException or ArgumentException or InvalidOperationException)
        {
            throw new CryptographicException("The session's ciphertext is not of kruptein's format.", e);
        }
    }

    private byte[] DeriveKey(byte[] salt) => Rfc2898DeriveBytes.Pbkdf2(_secret, salt, Iterations, HashAlgorithmName.SHA512, outputLength: 32);

    private static byte[] Mac(byte[] key, byte[] text) => Base64Text(HMACSHA512.HashData(key, text));

    private static byte[] Base64Text(byte[] bytes) => Encoding.ASCII.GetBytes(Convert.ToBase64String(bytes));
}
