using System.Text;

namespace Sojourn.Document;

/// <summary>One top-level member of the document that is not Sojourn's: its name as it stands in the JSON, and its value as a slice.</summary>
internal readonly struct Entry
{
    private static readonly string Hidden = new('\0', 1);

    /// <summary>The name where it stands escaped in the JSON; <see cref="Hidden"/> for one that the application cannot use.</summary>
    private readonly string? _unescapedName;

    public Entry(ReadOnlyMemory<byte> rawName, string? unescapedName, ReadOnlyMemory<byte> value, bool isHidden)
    {
        RawName = rawName;
        _unescapedName = isHidden ? Hidden : unescapedName;
        Value = value;
    }

    /// <summary>The name between its quotes, escaped as it was found.</summary>
    public ReadOnlyMemory<byte> RawName { get; }

    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>A name that the application cannot use: kept, and never shown.</summary>
    public bool IsHidden => ReferenceEquals(_unescapedName, Hidden);

    public string Name => _unescapedName ?? Encoding.UTF8.GetString(RawName.Span);

    public Entry WithValue(ReadOnlyMemory<byte> value) => new(RawName, _unescapedName, value, isHidden: false);

    public bool IsNamed(string name)
    {
        if (_unescapedName is not null)
        {
            return string.Equals(_unescapedName, name, StringComparison.Ordinal);
        }

        var raw = RawName.Span;
        if (raw.Length == name.Length)
        {
            // As many bytes as characters: ASCII, or not equal.
            return Ascii.Equals(raw, name);
        }

        return raw.Length > name.Length && Encoding.UTF8.GetByteCount(name) == raw.Length && string.Equals(Encoding.UTF8.GetString(raw), name, StringComparison.Ordinal);
    }
}
