using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Sojourn.MongoDb.ConnectMongo;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>What connect-mongo encrypted is read, what is written it could read, and nothing altered passes.</summary>
public sealed class ConnectMongoCipherTests
{
    private static readonly JsonNode Vector = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors.json")))!["connectMongo"]!;
    private static readonly string Secret = Vector["secret"]!.GetValue<string>();
    private static readonly WebCryptoCipher WebCrypto = new(Secret);
    private static readonly KrupteinCipher Kruptein = new(Secret);

    public static TheoryData<string> Formats() => ["webcrypto", "kruptein"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_ciphertext_of_connect_mongos_is_read(string format) =>
        Assert.Equal(Vector["plaintext"]!.GetValue<string>(), Encoding.UTF8.GetString(Cipher(format).Decrypt(Vector[format]!.GetValue<string>())));

    [Theory]
    [MemberData(nameof(Formats))]
    public void Any_text_comes_back(string format) => Gen.String.Sample(
        text =>
        {
            // What is no Unicode is no JSON either.
            var json = Encoding.UTF8.GetBytes(text);
            return Cipher(format).Decrypt(Cipher(format).Encrypt(json)).SequenceEqual(json);
        },
        iter: 50);

    [Theory]
    [MemberData(nameof(Formats))]
    public void Nothing_altered_and_no_other_secret_is_accepted(string format)
    {
        var written = Vector[format]!.GetValue<string>();
        var bytes = Convert.FromBase64String(written);
        for (var i = 0; i < bytes.Length; i += 7)
        {
            bytes[i] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => Cipher(format).Decrypt(Convert.ToBase64String(bytes)));
            bytes[i] ^= 1;
        }

        Assert.ThrowsAny<CryptographicException>(() => Cipher(format).Decrypt(written[..40]));
        Assert.ThrowsAny<CryptographicException>(() => Cipher(format).Decrypt("not base64!"));
        Assert.ThrowsAny<CryptographicException>(() => Cipher(format).Decrypt(""));
        ISessionCipher other = format == "webcrypto" ? new WebCryptoCipher("another") : new KrupteinCipher("another");
        Assert.ThrowsAny<CryptographicException>(() => other.Decrypt(written));
        Assert.NotEqual(Cipher(format).Encrypt("{}"u8), Cipher(format).Encrypt("{}"u8));
    }

    private static ISessionCipher Cipher(string format) => format == "webcrypto" ? WebCrypto : Kruptein;
}
