using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Sojourn.Storage;

/// <summary>
/// A store's own token of one state of one record: a number, or the bytes as they are stored. Opaque to everybody else;
/// decorators pass it through.
/// </summary>
public readonly struct SessionVersion : IEquatable<SessionVersion>
{
    /// <summary>Drawn for many versions at once: a call of the generator costs more than all else that a version needs.</summary>
    [ThreadStatic]
    private static Drawn? _drawn;

    private readonly byte[]? _content;

    /// <summary>A version that is a number.</summary>
    /// <param name="number">The number.</param>
    public SessionVersion(long number) => Number = number;

    /// <summary>A version that is the stored content itself, for databases whose layout has no place for a number.</summary>
    /// <param name="content">The bytes as they are stored. Kept as given: they must not be changed afterwards.</param>
    public SessionVersion(byte[] content)
    {
        ArgumentNullException.ThrowIfNull(content);
        _content = content;
    }

    /// <summary>Both: what a store around another makes of that one's versions.</summary>
    internal SessionVersion(long number, byte[]? content) => (Number, _content) = (number, content);

    /// <summary>The number, 0 where the version is content.</summary>
    public long Number { get; }

    /// <summary>The stored content, empty where the version is a number.</summary>
    public ReadOnlyMemory<byte> Content => _content;

    /// <summary>
    /// A number drawn by chance from 0 to 2^62 - 1: what a store takes that has no counter, so that no version is given to a key twice, whoever writes it, and
    /// not even after its record was deleted.
    /// </summary>
    /// <returns>The version.</returns>
    /// <remarks>Thread-safe.</remarks>
    public static SessionVersion NewRandom() => new((_drawn ??= new Drawn()).Next() & 0x3fff_ffff_ffff_ffff);

    /// <inheritdoc/>
    public bool Equals(SessionVersion other) =>
        Number == other.Number && (ReferenceEquals(_content, other._content) || Content.Span.SequenceEqual(other.Content.Span));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SessionVersion other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Number);
        hash.AddBytes(Content.Span);
        return hash.ToHashCode();
    }

    /// <summary>Whether two versions are the same.</summary>
    public static bool operator ==(SessionVersion left, SessionVersion right) => left.Equals(right);

    /// <summary>Whether two versions differ.</summary>
    public static bool operator !=(SessionVersion left, SessionVersion right) => !left.Equals(right);

    private sealed class Drawn
    {
        private readonly long[] _numbers = new long[32];
        private int _left;

        public long Next()
        {
            if (_left == 0)
            {
                RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(_numbers.AsSpan()));
                _left = _numbers.Length;
            }

            return _numbers[--_left];
        }
    }
}
