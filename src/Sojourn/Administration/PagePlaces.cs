using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn.Administration;

/// <summary>
/// Where a page of sessions ended, as it may be shown. A key opens nothing and is shown as it is; a key that is an id, in the layout of an npm store, is
/// sealed, and opened by this process alone. Thread-safe.
/// </summary>
internal sealed class PagePlaces(bool isKeyedById)
{
    private const int NonceLength = 12;
    private const int TagLength = 16;
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);

    public string Show(string key)
    {
        if (!isKeyedById)
        {
            return key;
        }

        var text = Encoding.UTF8.GetBytes(key);
        var place = new byte[NonceLength + TagLength + text.Length];
        var nonce = place.AsSpan(0, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_secret, TagLength);
        aes.Encrypt(nonce, text, place.AsSpan(NonceLength + TagLength), place.AsSpan(NonceLength, TagLength));
        return Base64Url.EncodeToString(place);
    }

    /// <exception cref="ArgumentException">This process has not shown the place.</exception>
    public string? Find(string? place)
    {
        if (place is null || !isKeyedById)
        {
            return place;
        }

        try
        {
            var bytes = Base64Url.DecodeFromChars(place);
            var text = new byte[bytes.Length - NonceLength - TagLength];
            using var aes = new AesGcm(_secret, TagLength);
            aes.Decrypt(bytes.AsSpan(0, NonceLength), bytes.AsSpan(NonceLength + TagLength), bytes.AsSpan(NonceLength, TagLength), text);
            return Encoding.UTF8.GetString(text);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException or CryptographicException)
        {
            throw new ArgumentException("The page is not known here: begin with the first one.", nameof(place), e);
        }
    }
}
