using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Sojourn.Document;

namespace Sojourn.AspNetCore.Transport;

/// <summary>What a token verified for.</summary>
internal sealed class VerifiedToken(string id, bool isSignedWithFirst) : KnownSession
{
    public string Id => id;

    /// <summary>Whether the first secret signed it; if not, it is to be signed anew.</summary>
    public bool IsSignedWithFirst => isSignedWithFirst;

    /// <summary>The token, where it is remembered.</summary>
    public byte[] Ascii { get; private set; } = [];

    public bool IsEncoded { get; private set; }

    /// <summary>Of tokens as many are remembered as are busy, for a minute.</summary>
    public override bool IsBounded => Ascii.Length > 0;

    /// <summary>When it was remembered, in ticks.</summary>
    public long Since { get; private set; }

    /// <summary>To be called before it is remembered.</summary>
    public void Keep(byte[] ascii, bool isEncoded, DateTimeOffset since) => (Ascii, IsEncoded, Since) = (ascii, isEncoded, since.UtcTicks);
}

/// <summary>
/// Remembers for a minute what tokens verified for that come again and again, so that neither the HMAC nor the key of a busy session is computed at every
/// request: those of 16,384 sessions, and of up to 262,144 where as many are busy. Thread-safe.
/// </summary>
/// <remarks>
/// Nothing leaks by it: a token is looked up by a hash of its end that is keyed anew in every process; that end, which nobody can guess, is compared in
/// constant time, and the rest only where it is the same. It says only that the token was signed here, which does not change while the process runs; whether
/// there is a session is asked of the store at every request.
/// </remarks>
internal sealed class VerifiedTokens
{
    private const int FewestPlaces = 16 * 1024;
    private const int MostPlaces = 256 * 1024;

    /// <summary>In characters; a token of ours has at most 100, and no less than its signature.</summary>
    private const int MaxLength = 256;

    /// <summary>In characters, from a token's end: 96 bits of its signature, which nobody can choose or guess.</summary>
    private const int EndLength = 16;
    private static readonly TimeSpan KeptFor = TimeSpan.FromMinutes(1);
    private Table _table = new(new(FewestPlaces), since: default);

    public VerifiedToken? Find(ReadOnlySpan<char> value, bool isEncoded, DateTimeOffset now)
    {
        if (Volatile.Read(ref _table).Places.Find(HashOf(value)) is not { } token || token.IsEncoded != isEncoded || token.Ascii.Length != value.Length)
        {
            return null;
        }

        // Sixteen characters are compared at once: there is no first one that differs.
        var end = EndOf(MemoryMarshal.Cast<char, ushort>(value));
        return Vector128.Narrow(Vector128.Create(end), Vector128.Create(end[(EndLength / 2)..])) == Vector128.Create(EndOf<byte>(token.Ascii))
            && Ascii.Equals(token.Ascii, value)
            && now.UtcTicks - token.Since < KeptFor.Ticks
                ? token
                : null;
    }

    public void Note(ReadOnlySpan<char> value, bool isEncoded, VerifiedToken token, DateTimeOffset now)
    {
        var (places, hash) = (PlacesFor(now), HashOf(value));
        if (!places.IsAgain(hash) || value.Length is < EndLength or > MaxLength)
        {
            return;
        }

        var ascii = new byte[value.Length];
        if (Ascii.FromUtf16(value, ascii, out _) == OperationStatus.Done)
        {
            token.Keep(ascii, isEncoded, now);
            places.Remember(hash, token);
        }
    }

    /// <summary>
    /// Counts a token, and begins anew where a minute is over or there was no room for its tokens: with more places where busy tokens take each other's, with
    /// fewer where most are not needed.
    /// </summary>
    private SetAssociativeCache<VerifiedToken> PlacesFor(DateTimeOffset now)
    {
        var table = Volatile.Read(ref _table);
        var (noted, length) = (table.CountNoted(), table.Places.Length);
        if (noted <= length && now - table.Since < KeptFor)
        {
            return table.Places;
        }

        var needed = Math.Clamp(noted > length ? 4 * length : noted < length / 8 ? length / 4 : length, FewestPlaces, MostPlaces);
        var next = new Table(needed == length ? table.Places : new(needed), now);
        return (Interlocked.CompareExchange(ref _table, next, table) == table ? next : Volatile.Read(ref _table)).Places;
    }

    private static ReadOnlySpan<T> EndOf<T>(ReadOnlySpan<T> value) => value[Math.Max(0, value.Length - EndLength)..];

    private static int HashOf(ReadOnlySpan<char> value) => string.GetHashCode(EndOf(value), StringComparison.Ordinal);

    /// <summary>The places, and how many tokens were noted since when.</summary>
    private sealed class Table(SetAssociativeCache<VerifiedToken> places, DateTimeOffset since)
    {
        private int _noted;

        public SetAssociativeCache<VerifiedToken> Places => places;

        public DateTimeOffset Since => since;

        public int CountNoted() => Interlocked.Increment(ref _noted);
    }
}
