using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace Sojourn.AspNetCore.Authentication.BackChannel;

/// <summary>
/// Verifies what was signed by one of a set of public keys: RFC 7515 and 7518, with RSA and ECDSA alone. No algorithm that a reader of the public keys could
/// sign with is known here.
/// </summary>
internal static class JsonWebSignature
{
    private const int MinRsaBits = 2048;

    /// <param name="header">The signature's header: algorithm and key id.</param>
    /// <param name="signed">What was signed.</param>
    /// <param name="signature">The signature.</param>
    /// <param name="keys">A JSON Web Key Set (RFC 7517).</param>
    public static bool Verify(JsonElement header, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature, JsonElement keys)
    {
        if (TextOf(header, "alg"u8) is not { } algorithm
            || HashOf(algorithm) is not { } hash
            || !keys.TryGetProperty("keys"u8, out var all)
            || all.ValueKind != JsonValueKind.Array)
        {
            return false;
        }

        var keyId = header.TryGetProperty("kid"u8, out _) ? TextOf(header, "kid"u8) ?? "" : null;
        foreach (var key in all.EnumerateArray())
        {
            if (key.ValueKind == JsonValueKind.Object && IsFor(key, algorithm, keyId) && Verify(key, algorithm, hash, signed, signature))
            {
                return true;
            }
        }

        return false;
    }

    private static HashAlgorithmName? HashOf(string algorithm) => algorithm switch
    {
        "RS256" or "PS256" or "ES256" => HashAlgorithmName.SHA256,
        "RS384" or "PS384" or "ES384" => HashAlgorithmName.SHA384,
        "RS512" or "PS512" or "ES512" => HashAlgorithmName.SHA512,
        _ => null,
    };

    private static bool IsFor(JsonElement key, string algorithm, string? keyId) =>
        (keyId is null || TextOf(key, "kid"u8) == keyId)
        && (!key.TryGetProperty("use"u8, out _) || TextOf(key, "use"u8) == "sig")
        && (!key.TryGetProperty("alg"u8, out _) || TextOf(key, "alg"u8) == algorithm);

    private static bool Verify(JsonElement key, string algorithm, HashAlgorithmName hash, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        try
        {
            return (TextOf(key, "kty"u8), algorithm[0]) switch
            {
                ("RSA", 'R') => VerifyRsa(key, hash, RSASignaturePadding.Pkcs1, signed, signature),
                ("RSA", 'P') => VerifyRsa(key, hash, RSASignaturePadding.Pss, signed, signature),
                ("EC", 'E') => VerifyEcdsa(key, algorithm, hash, signed, signature),
                _ => false,
            };
        }
        catch (Exception e) when (e is CryptographicException or FormatException or ArgumentException)
        {
            // A key that is none verifies nothing; another one of the set may.
            return false;
        }
    }

    private static bool VerifyRsa(JsonElement key, HashAlgorithmName hash, RSASignaturePadding padding, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        using var rsa = RSA.Create(new RSAParameters { Modulus = BytesOf(key, "n"u8), Exponent = BytesOf(key, "e"u8) });
        return rsa.KeySize >= MinRsaBits && rsa.VerifyData(signed, signature, hash, padding);
    }

    private static bool VerifyEcdsa(JsonElement key, string algorithm, HashAlgorithmName hash, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        ECCurve? curve = (algorithm, TextOf(key, "crv"u8)) switch
        {
            ("ES256", "P-256") => ECCurve.NamedCurves.nistP256,
            ("ES384", "P-384") => ECCurve.NamedCurves.nistP384,
            ("ES512", "P-521") => ECCurve.NamedCurves.nistP521,
            _ => null,
        };
        if (curve is null)
        {
            return false;
        }

        using var ecdsa = ECDsa.Create(new ECParameters { Curve = curve.Value, Q = new ECPoint { X = BytesOf(key, "x"u8), Y = BytesOf(key, "y"u8) } });
        return ecdsa.VerifyData(signed, signature, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    private static byte[] BytesOf(JsonElement key, ReadOnlySpan<byte> name) =>
        Base64Url.DecodeFromChars(TextOf(key, name) ?? throw new FormatException("The key is not complete."));

    private static string? TextOf(JsonElement json, ReadOnlySpan<byte> name)
    {
        try
        {
            return json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
