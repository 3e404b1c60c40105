using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>A device's key, and proofs made with it: right ones, and, part by part, wrong ones.</summary>
internal sealed class DeviceKey : IDisposable
{
    private readonly ECDsa? _ecdsa;
    private readonly RSA? _rsa;

    private DeviceKey(ECDsa? ecdsa, RSA? rsa) => (_ecdsa, _rsa) = (ecdsa, rsa);

    public string Algorithm => _ecdsa is null ? "RS256" : "ES256";

    public static DeviceKey New(string algorithm = "ES256", int rsaBits = 2048) =>
        algorithm == "ES256" ? new(ECDsa.Create(ECCurve.NamedCurves.nistP256), null) : new(null, RSA.Create(rsaBits));

    public static DeviceKey OnCurve(ECCurve curve) => new(ECDsa.Create(curve), null);

    public string Jwk()
    {
        if (_ecdsa is not null)
        {
            var point = _ecdsa.ExportParameters(includePrivateParameters: false).Q;
            return $$"""{"kty":"EC","crv":"P-256","x":"{{Encode(point.X!)}}","y":"{{Encode(point.Y!)}}"}""";
        }

        var key = _rsa!.ExportParameters(includePrivateParameters: false);
        return $$"""{"kty":"RSA","n":"{{Encode(key.Modulus!)}}","e":"{{Encode(key.Exponent!)}}"}""";
    }

    public string Header(bool withKey) => $$"""{"alg":"{{Algorithm}}","typ":"dbsc+jwt"{{(withKey ? $",\"jwk\":{Jwk()}" : "")}}}""";

    public static string Payload(string challenge) => $$"""{"jti":"{{challenge}}"}""";

    public string Proof(string challenge, bool withKey) => Sign(Header(withKey), Payload(challenge));

    public string Sign(string header, string payload, bool der = false)
    {
        var signed = Encode(Encoding.UTF8.GetBytes(header)) + "." + Encode(Encoding.UTF8.GetBytes(payload));
        var bytes = Encoding.ASCII.GetBytes(signed);
        var signature = _ecdsa?.SignData(
            bytes, HashAlgorithmName.SHA256, der ? DSASignatureFormat.Rfc3279DerSequence : DSASignatureFormat.IeeeP1363FixedFieldConcatenation)
            ?? _rsa!.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return signed + "." + Encode(signature);
    }

    public void Dispose()
    {
        _ecdsa?.Dispose();
        _rsa?.Dispose();
    }

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);
}
