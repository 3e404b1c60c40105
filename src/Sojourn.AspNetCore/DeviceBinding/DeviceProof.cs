using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Sojourn.Document;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// What a browser sends to prove that it has a device's key: a compact JWS (RFC 7515) of type <c>dbsc+jwt</c> over a challenge. Read strictly: what is doubtful
/// is no proof.
/// </summary>
/// <param name="Challenge">The challenge that was signed (<c>jti</c>): whether it is one of ours, and still to be answered, is for the caller to say.</param>
/// <param name="Algorithm">How it was signed.</param>
/// <param name="PublicKey">The key, as SubjectPublicKeyInfo in base64.</param>
internal sealed record DeviceProof(string Challenge, string Algorithm, string PublicKey)
{
    private const string Es256 = "ES256";
    private const string Rs256 = "RS256";

    /// <summary>In characters. The largest that can be right, with a key of 4096 bits, has some 2,000.</summary>
    private const int MaxLength = 4096;
    private const int MinRsaBits = 2048;
    private const int MaxRsaBits = 4096;
    private const int P256Bytes = 32;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <summary>The algorithms as the browser is offered them.</summary>
    public const string Algorithms = $"({Es256} {Rs256})";

    /// <summary>Reads a proof and verifies its signature.</summary>
    /// <param name="text">The proof.</param>
    /// <param name="binding">The binding whose key must have signed; <see langword="null"/> at registration, where the proof brings the key.</param>
    /// <param name="problem">Why it is none: one of a few words.</param>
    public static DeviceProof? Read(string? text, SessionBinding? binding, out string problem)
    {
        problem = "malformed";
        if (text is null || text.Length > MaxLength)
        {
            problem = text is null ? "missing" : "too-long";
            return null;
        }

        var parts = text.Split('.');
        if (parts.Length != 3 || Decode(parts[0]) is not { } header || Decode(parts[1]) is not { } payload || Decode(parts[2]) is not { } signature)
        {
            return null;
        }

        try
        {
            using var headerJson = JsonDocument.Parse(header, Strict);
            using var payloadJson = JsonDocument.Parse(payload, Strict);
            if (headerJson.RootElement.ValueKind != JsonValueKind.Object
                || payloadJson.RootElement.ValueKind != JsonValueKind.Object
                || TextOf(payloadJson.RootElement, "jti") is not { Length: > 0 } challenge)
            {
                return null;
            }

            if (KeyOf(headerJson.RootElement, binding, out problem) is not { } key)
            {
                return null;
            }

            using (key)
            {
                problem = "signature";
                return key.Verify(Encoding.ASCII.GetBytes(text, 0, parts[0].Length + 1 + parts[1].Length), signature)
                    ? new DeviceProof(challenge, key.Algorithm, key.Export())
                    : null;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half of a surrogate pair.
            problem = "malformed";
            return null;
        }
    }

    /// <summary>The challenge that a text claims to answer, which nobody has verified.</summary>
    public static string? ClaimedChallenge(string? text)
    {
        if (text is null || text.Length > MaxLength || text.Split('.') is not [_, var claims, _] || Decode(claims) is not { } payload)
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(payload, Strict);
            return json.RootElement.ValueKind == JsonValueKind.Object ? TextOf(json.RootElement, "jti") : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The key that the header may be verified with.</summary>
    private static Key? KeyOf(JsonElement header, SessionBinding? binding, out string problem)
    {
        problem = "type";
        if (TextOf(header, "typ") != "dbsc+jwt")
        {
            return null;
        }

        // Nothing that must be understood is understood here (RFC 7515, 4.1.11).
        problem = "critical";
        if (header.TryGetProperty("crit", out _))
        {
            return null;
        }

        problem = "algorithm";
        var algorithm = TextOf(header, "alg");
        if (algorithm is not (Es256 or Rs256) || (binding is not null && binding.Algorithm != algorithm))
        {
            return null;
        }

        problem = "key";
        var hasKey = header.TryGetProperty("jwk", out var jwk);
        return binding is null
            ? (hasKey && jwk.ValueKind == JsonValueKind.Object && !jwk.TryGetProperty("d", out _) ? Key.OfJwk(algorithm, jwk) : null)
            : (hasKey ? null : Key.OfStored(binding));
    }

    /// <summary>base64url without padding, and in its one right spelling (RFC 4648, 3.5).</summary>
    private static byte[]? Decode(string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        var bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        return Base64Url.DecodeFromChars(text, bytes, out _, out var length) == OperationStatus.Done
            && Base64Url.EncodeToString(bytes.AsSpan(0, length)) == text
            ? bytes[..length]
            : null;
    }

    private static string? TextOf(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>A public key of one of the two kinds.</summary>
    private sealed class Key(ECDsa? ecdsa, RSA? rsa) : IDisposable
    {
        public string Algorithm => ecdsa is not null ? Es256 : Rs256;

        /// <summary>The key of a JSON Web Key (RFC 7518, 6.2 and 6.3); <see langword="null"/> where it is none that is strong enough.</summary>
        public static Key? OfJwk(string algorithm, JsonElement jwk)
        {
            try
            {
                return algorithm == Es256 ? OfEc(jwk) : OfRsa(jwk);
            }
            catch (CryptographicException)
            {
                // Not a point of the curve, say.
                return null;
            }
        }

        public static Key OfStored(SessionBinding binding)
        {
            var bytes = Convert.FromBase64String(binding.PublicKey);
            if (binding.Algorithm == Es256)
            {
                var ecdsa = ECDsa.Create();
                ecdsa.ImportSubjectPublicKeyInfo(bytes, out _);
                return new Key(ecdsa, null);
            }

            var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(bytes, out _);
            return new Key(null, rsa);
        }

        /// <summary>An ES256 signature is two numbers of 32 bytes (RFC 7518, 3.4), and never DER; an RS256 signature is as long as the key.</summary>
        public bool Verify(byte[] signed, byte[] signature) => ecdsa is not null
            ? signature.Length == 2 * P256Bytes
            && ecdsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)
            : signature.Length == rsa!.KeySize / 8 && rsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

        public string Export() => Convert.ToBase64String(ecdsa?.ExportSubjectPublicKeyInfo() ?? rsa!.ExportSubjectPublicKeyInfo());

        public void Dispose()
        {
            ecdsa?.Dispose();
            rsa?.Dispose();
        }

        private static Key? OfEc(JsonElement jwk)
        {
            if (TextOf(jwk, "kty") != "EC"
                || TextOf(jwk, "crv") != "P-256"
                || Decode(TextOf(jwk, "x") ?? "") is not { Length: P256Bytes } x
                || Decode(TextOf(jwk, "y") ?? "") is not { Length: P256Bytes } y)
            {
                return null;
            }

            return new Key(ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = x, Y = y } }), null);
        }

        private static Key? OfRsa(JsonElement jwk)
        {
            if (TextOf(jwk, "kty") != "RSA"
                || TextOf(jwk, "e") != "AQAB"
                || Decode(TextOf(jwk, "n") ?? "") is not { } n
                || n[0] == 0
                || n.Length is < MinRsaBits / 8 or > MaxRsaBits / 8)
            {
                return null;
            }

            var rsa = RSA.Create(new RSAParameters { Modulus = n, Exponent = [1, 0, 1] });
            if (rsa.KeySize is >= MinRsaBits and <= MaxRsaBits && rsa.KeySize % 8 == 0)
            {
                return new Key(null, rsa);
            }

            rsa.Dispose();
            return null;
        }
    }
}
