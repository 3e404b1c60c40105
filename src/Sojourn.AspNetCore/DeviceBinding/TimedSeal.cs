using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// A statement of ours that is good until an instant: the instant, and an HMAC-SHA256 over it, what it is for and what it is about. The keys come from the
/// session's secrets (the first signs, all verify) and are no other's. Thread-safe.
/// </summary>
internal sealed class TimedSeal(SojournOptions options)
{
    private const int TimeLength = sizeof(long);
    private const int Length = TimeLength + HMACSHA256.HashSizeInBytes;
    private static readonly int TextLength = Base64Url.GetEncodedLength(Length);
    private readonly byte[][] _keys =
        [.. options.SecretBytes().Select(static secret => HMACSHA256.HashData(secret, "sojourn device binding"u8))];

    public string Write(string purpose, string about, DateTimeOffset until)
    {
        Span<byte> seal = stackalloc byte[Length];
        BinaryPrimitives.WriteInt64BigEndian(seal, until.ToUnixTimeMilliseconds());
        Sign(_keys[0], purpose, about, seal[..TimeLength], seal[TimeLength..]);
        return Base64Url.EncodeToString(seal);
    }

    public bool Holds(string purpose, string about, ReadOnlySpan<char> text, DateTimeOffset now)
    {
        Span<byte> seal = stackalloc byte[Length];
        if (text.Length != TextLength
            || Base64Url.DecodeFromChars(text, seal, out _, out var length) != OperationStatus.Done
            || length != Length
            || BinaryPrimitives.ReadInt64BigEndian(seal) <= now.ToUnixTimeMilliseconds())
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var key in _keys)
        {
            Sign(key, purpose, about, seal[..TimeLength], expected);
            if (CryptographicOperations.FixedTimeEquals(expected, seal[TimeLength..]))
            {
                return true;
            }
        }

        return false;
    }

    private static void Sign(byte[] key, string purpose, string about, ReadOnlySpan<byte> time, Span<byte> signature)
    {
        // Neither text holds a NUL, so that no two statements are one.
        byte[] statement = [.. Encoding.UTF8.GetBytes(purpose), 0, .. Encoding.UTF8.GetBytes(about), 0, .. time];
        HMACSHA256.HashData(key, statement, signature);
    }
}
