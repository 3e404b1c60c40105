using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Transport;

/// <summary>
/// The signed id as it travels: <c>s:</c> + id + <c>.</c> + base64(HMAC-SHA256(id, secret)) without <c>=</c>, percent-encoded in a cookie.
/// express-session's own format, so that both sides read each other's cookies.
/// </summary>
internal sealed class SessionToken(IOptions<SojournOptions> options)
{
    private const int SignatureLength = 43;
    public const int MaxIdBytes = 256;
    private const int MaxTokenBytes = 2 + MaxIdBytes + 1 + SignatureLength;
    private const int MaxEncodedLength = MaxTokenBytes * 3;
    private readonly byte[][] _secrets = [.. options.Value.SecretKeys ?? options.Value.Secrets.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Each thread's own keyed hashes: setting up the key costs several times the hashing.</summary>
    [ThreadStatic]
    private static (SessionToken? Owner, IncrementalHash[] Hmacs) _mine;

    /// <summary>The same for every session side by side, so that they do not take each other's place.</summary>
    [ThreadStatic]
    private static ConditionalWeakTable<SessionToken, IncrementalHash[]>? _kept;

    /// <summary>Writes the token of an id, signed with the first secret.</summary>
    public string Write(string id)
    {
        Span<byte> signature = stackalloc byte[SignatureLength + 1];
        Sign(Encoding.UTF8.GetBytes(id), 0, signature);
        return $"s:{id}.{Encoding.ASCII.GetString(signature[..SignatureLength])}";
    }

    /// <summary>The token as a cookie's value: JavaScript's encodeURIComponent, which leaves a few more characters as they are.</summary>
    public static string Encode(string token) => Uri.EscapeDataString(token)
        .Replace("%21", "!", StringComparison.Ordinal)
        .Replace("%27", "'", StringComparison.Ordinal)
        .Replace("%28", "(", StringComparison.Ordinal)
        .Replace("%29", ")", StringComparison.Ordinal)
        .Replace("%2A", "*", StringComparison.Ordinal);

    /// <summary>Verifies a token in constant time against every secret. Allocates nothing but the id of a token that verifies.</summary>
    /// <param name="value">The token as it came.</param>
    /// <param name="isEncoded">Whether it is percent-encoded, as in a cookie.</param>
    /// <param name="id">The id, when it verifies.</param>
    /// <param name="isSignedWithFirst">Whether the first secret signed it; if not, it is to be signed anew.</param>
    public bool TryRead(ReadOnlySpan<char> value, bool isEncoded, [NotNullWhen(true)] out string? id, out bool isSignedWithFirst)
    {
        Span<byte> token = stackalloc byte[MaxTokenBytes];
        if (TryVerify(value, isEncoded, token, out var idLength, out isSignedWithFirst))
        {
            id = Encoding.UTF8.GetString(token.Slice(2, idLength));
            return true;
        }

        id = null;
        return false;
    }

    /// <summary>The check itself, without an allocation.</summary>
    internal bool TryVerify(ReadOnlySpan<char> value, bool isEncoded, Span<byte> token, out int idLength, out bool isSignedWithFirst)
    {
        isSignedWithFirst = false;
        idLength = 0;
        if (value.Length > MaxEncodedLength || !TryDecode(value, isEncoded, token, out var length))
        {
            return false;
        }

        var text = token[..length];
        idLength = length - 2 - 1 - SignatureLength;
        if (idLength < 1 || !text.StartsWith("s:"u8) || text[2 + idLength] != (byte)'.')
        {
            return false;
        }

        var idBytes = text.Slice(2, idLength);
        var signature = text[(2 + idLength + 1)..];
        Span<byte> expected = stackalloc byte[SignatureLength + 1];
        for (var i = 0; i < _secrets.Length; i++)
        {
            Sign(idBytes, i, expected);
            if (CryptographicOperations.FixedTimeEquals(signature, expected[..SignatureLength]))
            {
                isSignedWithFirst = i == 0;
                return true;
            }
        }

        return false;
    }

    private void Sign(ReadOnlySpan<byte> id, int secret, Span<byte> signature)
    {
        if (_mine.Owner != this)
        {
            var hmacs = (_kept ??= []).GetValue(
                this, static token => [.. token._secrets.Select(key => IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key))]);
            _mine = (this, hmacs);
        }

        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var hmac = _mine.Hmacs[secret];
        hmac.AppendData(id);
        hmac.GetHashAndReset(hash);
        Base64.EncodeToUtf8(hash, signature, out _, out _);
    }

    private static bool TryDecode(ReadOnlySpan<char> value, bool isEncoded, Span<byte> token, out int length)
    {
        length = 0;
        for (var i = 0; i < value.Length; i++)
        {
            var c = value[i];
            if (c is <= ' ' or >= '\x7f' || length == token.Length)
            {
                return false;
            }

            if (isEncoded && c == '%')
            {
                if (i + 2 >= value.Length || !byte.TryParse(value.Slice(i + 1, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var decoded))
                {
                    return false;
                }

                token[length++] = decoded;
                i += 2;
            }
            else
            {
                token[length++] = (byte)c;
            }
        }

        return true;
    }
}
