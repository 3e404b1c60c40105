using System.Security.Cryptography;

namespace Sojourn.MongoDb.ConnectMongo;

/// <summary>How connect-mongo encrypts the session's JSON. Neither of its ways binds the ciphertext to the session's id.</summary>
internal interface ISessionCipher
{
    string Encrypt(ReadOnlySpan<byte> json);

    /// <exception cref="CryptographicException">The text was not written with this secret, or was altered.</exception>
    byte[] Decrypt(string text);
}

internal static class SessionCipher
{
    /// <exception cref="CryptographicException">The text is no base64.</exception>
    public static byte[] FromBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException e)
        {
            throw new CryptographicException("The session's ciphertext is no base64.", e);
        }
    }
}
