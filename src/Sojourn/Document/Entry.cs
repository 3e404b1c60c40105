using System.Text;

namespace Sojourn.Document;

/// <summary>One top-level member of the document that is not Sojourn's: slices of the stored bytes, until it is changed.</summary>
internal struct Entry
{
    /// <summary>Null: both slices count. Bytes: a value set since. <see cref="Owned"/>: neither is a plain slice.</summary>
    private readonly object? _own;
    private int _nameStart;

    /// <summary>
    /// The name's length and, in the lowest eight bits, its last byte: whoever looks for a name does not touch the bytes of the others, which are spread over
    /// the document.
    /// </summary>
    private readonly uint _name;
    private int _valueStart;
    private readonly int _valueLength;

    private Entry(Range name, byte last, Range value)
    {
        (_nameStart, _name) = (name.Start.Value, ((uint)(name.End.Value - name.Start.Value) << 8) | last);
        (_valueStart, _valueLength) = (value.Start.Value, value.End.Value - value.Start.Value);
    }

    public Entry(ReadOnlyMemory<byte> rawName, string? unescapedName, ReadOnlyMemory<byte> value, bool isHidden) =>
        _own = new Owned(rawName, unescapedName, value, isHidden);

    private Entry(Entry entry, byte[] value)
    {
        this = entry;
        _own = value;
    }

    /// <summary>A member as it stands in the stored bytes, its name written without escapes.</summary>
    public static Entry Of(ReadOnlyMemory<byte> stored, Range name, Range value)
    {
        var plain = stored.Span[name];
        return plain.Length < 1 << 24 ? new(name, plain[^1], value) : new(stored[name], null, stored[value], isHidden: false);
    }

    private readonly int NameLength => (int)(_name >> 8);

    /// <summary>How long name and value are together.</summary>
    public readonly long Length => _own switch
    {
        null => NameLength + _valueLength,
        byte[] value => NameLength + value.Length,
        _ => ((Owned)_own).RawName.Length + ((Owned)_own).Value.Length,
    };

    /// <summary>Where the member begins in the stored bytes, at its name's quote, if it stands there.</summary>
    public readonly int MemberStart => _nameStart - 1;

    /// <summary>A name that the application cannot use: kept, and never shown.</summary>
    public readonly bool IsHidden => _own is Owned { IsHidden: true };

    /// <summary>The name between its quotes, escaped as it was found.</summary>
    public readonly ReadOnlyMemory<byte> RawName(ReadOnlyMemory<byte> stored) => _own is Owned own ? own.RawName : stored.Slice(_nameStart, NameLength);

    public readonly ReadOnlyMemory<byte> Value(ReadOnlyMemory<byte> stored) => _own switch
    {
        null => stored.Slice(_valueStart, _valueLength),
        byte[] value => value,
        _ => ((Owned)_own).Value,
    };

    public readonly string Name(ReadOnlyMemory<byte> stored) => (_own as Owned)?.UnescapedName ?? Encoding.UTF8.GetString(RawName(stored).Span);

    public readonly Entry WithValue(byte[] value) => _own is Owned own ? new(own.RawName, own.UnescapedName, value, isHidden: false) : new(this, value);

    /// <summary>Whether this value can stand in the stored bytes where the old one does.</summary>
    public readonly bool CanHold(byte[] value) => _own is null && value.Length == _valueLength;

    public readonly void Overwrite(Span<byte> stored, byte[] value) => value.CopyTo(stored[_valueStart..]);

    /// <summary>The same entry for a document of other stored bytes.</summary>
    public readonly Entry MovedFrom(ReadOnlyMemory<byte> stored) => _own is Owned ? this : new(RawName(stored), null, Value(stored), isHidden: false);

    /// <summary>The same entry as it stands in bytes that it was written to.</summary>
    public readonly Entry MovedTo(ReadOnlyMemory<byte> stored, Range name, Range value) => _own is Owned own && (own.IsHidden || own.UnescapedName is not null)
        ? new(stored[name], own.UnescapedName, stored[value], own.IsHidden)
        : Of(stored, name, value);

    /// <summary>Moves on with the bytes that it is copied in, if it stands there as we write one, where another member and its comma end.</summary>
    /// <param name="shift">How much further on it stands then; less than 0 for back.</param>
    /// <param name="end">Where the one before ended in the bytes as they were; this one after it.</param>
    public bool TryMoveBy(int shift, ref int end)
    {
        if (_own is not null || MemberStart != end || _valueStart != _nameStart + NameLength + 2)
        {
            return false;
        }

        end = _valueStart + _valueLength + 1;
        _nameStart += shift;
        _valueStart += shift;
        return true;
    }

    /// <summary>Whether the application means this entry by a name that is not empty.</summary>
    public readonly bool IsNamed(string name, ReadOnlySpan<byte> stored) => _own is Owned own
        ? !own.IsHidden && (own.UnescapedName is { } unescaped ? string.Equals(unescaped, name, StringComparison.Ordinal) : IsText(own.RawName.Span, name))
        : (NameLength != name.Length || (byte)_name == name[^1]) && IsText(stored.Slice(_nameStart, NameLength), name);

    private static bool IsText(ReadOnlySpan<byte> utf8, string text)
    {
        if (utf8.Length == text.Length)
        {
            // As many bytes as characters: ASCII, or not equal. Names of one length often differ at their end.
            return utf8[^1] == text[^1] && Ascii.Equals(utf8, text);
        }

        return utf8.Length > text.Length
            && Encoding.UTF8.GetByteCount(text) == utf8.Length
            && string.Equals(Encoding.UTF8.GetString(utf8), text, StringComparison.Ordinal);
    }

    /// <param name="RawName">The name between its quotes.</param>
    /// <param name="UnescapedName">The name where it stands escaped in the JSON.</param>
    /// <param name="Value">The value.</param>
    /// <param name="IsHidden">Whether the application cannot use the name.</param>
    private sealed record Owned(ReadOnlyMemory<byte> RawName, string? UnescapedName, ReadOnlyMemory<byte> Value, bool IsHidden);
}
