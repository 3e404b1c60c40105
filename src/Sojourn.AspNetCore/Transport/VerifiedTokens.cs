using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Sojourn.AspNetCore.Transport;

/// <summary>What a token verified for.</summary>
internal sealed class VerifiedToken(string id, bool isSignedWithFirst)
{
    public string Id => id;

    /// <summary>Whether the first secret signed it; if not, it is to be signed anew.</summary>
    public bool IsSignedWithFirst => isSignedWithFirst;

    /// <summary>The key of the id, once it was computed.</summary>
    public string? Key { get; set; }
}

/// <summary>
/// Remembers for a minute what tokens verified for that come again and again, so that neither the HMAC nor the key of a busy session is computed at every request. Thread-safe.
/// </summary>
/// <remarks>
/// Nothing leaks by it: a token is looked up by a hash of its end that is keyed anew in every process; that end, which nobody can guess, is compared in constant time, and the rest only where it is
/// the same. It says only that the token was signed here, which does not change while the process runs; whether there is a session is asked of the store at every request.
/// </remarks>
internal sealed class VerifiedTokens(TimeProvider time)
{
    private const int PlaceCount = 16 * 1024;

    /// <summary>In characters; a token of ours has at most 100.</summary>
    private const int MaxLength = 256;

    /// <summary>In characters, from a token's end: 96 bits of its signature, which nobody can choose or guess.</summary>
    private const int EndLength = 16;
    private static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);
    private readonly Place?[] _places = new Place?[PlaceCount];

    /// <summary>Hashes of tokens that came once: only one that comes again is worth remembering.</summary>
    private readonly int[] _seen = new int[PlaceCount];

    public VerifiedToken? Find(ReadOnlySpan<char> value, bool isEncoded)
    {
        var place = Volatile.Read(ref _places[IndexOf(HashOf(value))]);
        if (place is null || place.IsEncoded != isEncoded || place.Ascii.Length != value.Length)
        {
            return null;
        }

        Span<byte> end = stackalloc byte[EndLength];
        return Ascii.FromUtf16(EndOf<char>(value), end, out var length) == OperationStatus.Done
            && CryptographicOperations.FixedTimeEquals(end[..length], EndOf<byte>(place.Ascii))
            && Ascii.Equals(place.Ascii, value)
            && time.GetElapsedTime(place.Since) < KeptFor
                ? place.Token
                : null;
    }

    public void Note(ReadOnlySpan<char> value, bool isEncoded, VerifiedToken token)
    {
        var hash = HashOf(value);
        var index = IndexOf(hash);
        if (_seen[index] != hash)
        {
            _seen[index] = hash;
        }
        else if (value.Length <= MaxLength)
        {
            var ascii = new byte[value.Length];
            if (Ascii.FromUtf16(value, ascii, out _) == OperationStatus.Done)
            {
                Volatile.Write(ref _places[index], new Place(ascii, isEncoded, token, time.GetTimestamp()));
            }
        }
    }

    private static ReadOnlySpan<T> EndOf<T>(ReadOnlySpan<T> value) => value[Math.Max(0, value.Length - EndLength)..];

    private static int HashOf(ReadOnlySpan<char> value) => string.GetHashCode(EndOf(value), StringComparison.Ordinal);

    private static int IndexOf(int hash) => (int)((uint)hash % PlaceCount);

    private sealed record Place(byte[] Ascii, bool IsEncoded, VerifiedToken Token, long Since);
}
