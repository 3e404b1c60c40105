using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Sojourn.Document;

/// <summary>
/// The session's JSON object as slices of the stored bytes: read without making values, written with every entry that was not
/// touched as it was, byte for byte.
/// </summary>
internal sealed class SessionDocument
{
    public const int MaxDepth = 1000;
    private static readonly byte[] DefaultMetadataName = "$sojourn"u8.ToArray();
    private Entry[] _entries = [];
    private int _count;

    /// <summary>The <c>cookie</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Cookie { get; set; }

    /// <summary>The <c>$sojourn</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Metadata { get; set; }

    /// <summary>What the metadata member is called: <c>_sojourn</c> where a database dislikes the dollar.</summary>
    public ReadOnlyMemory<byte> MetadataName { get; private set; } = DefaultMetadataName;

    /// <summary>Whether no entry is there that the application could have made.</summary>
    public bool IsEmpty
    {
        get
        {
            foreach (ref readonly var entry in Entries)
            {
                if (!entry.IsHidden)
                {
                    return false;
                }
            }

            return true;
        }
    }

    private ReadOnlySpan<Entry> Entries => _entries.AsSpan(0, _count);

    /// <summary>Splits a stored document; <see langword="null"/> when it is not one JSON object in UTF-8, or is one that encryption sealed and nobody opened.</summary>
    public static SessionDocument? Parse(ReadOnlyMemory<byte> utf8)
    {
        if (!Utf8.IsValid(utf8.Span))
        {
            // The reader lets it pass within texts and names.
            return null;
        }

        try
        {
            var document = new SessionDocument();
            var reader = new Utf8JsonReader(utf8.Span, new JsonReaderOptions { MaxDepth = MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var nameStart = (int)reader.TokenStartIndex + 1;
                var rawName = utf8.Slice(nameStart, reader.ValueSpan.Length);
                var unescaped = reader.ValueIsEscaped ? reader.GetString() : null;
                if (unescaped is "$sealed" || rawName.Span.SequenceEqual("$sealed"u8))
                {
                    return null;
                }

                reader.Read();
                var valueStart = (int)reader.TokenStartIndex;
                reader.Skip();
                document.Add(rawName, unescaped, utf8[valueStart..(int)reader.BytesConsumed]);
            }

            // Anything but white space after the object makes the reader throw.
            return reader.Read() ? null : document;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped name that is no valid text.
            return null;
        }
    }

    public bool TryGet(string name, out ReadOnlyMemory<byte> value)
    {
        var index = IndexOf(name);
        value = index < 0 ? default : _entries[index].Value;
        return index >= 0;
    }

    public void Set(string name, ReadOnlyMemory<byte> value)
    {
        var index = IndexOf(name);
        if (index >= 0)
        {
            _entries[index] = _entries[index].WithValue(value);
        }
        else
        {
            var raw = JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes;
            Append(new Entry(raw.ToArray(), raw.Contains((byte)'\\') ? name : null, value, isHidden: false));
        }
    }

    public bool Remove(string name)
    {
        var removed = false;
        for (var index = IndexOf(name); index >= 0; index = IndexOf(name))
        {
            _count--;
            Array.Copy(_entries, index + 1, _entries, index, _count - index);
            _entries[_count] = default;
            removed = true;
        }

        return removed;
    }

    /// <summary>Removes every entry that the application could have made.</summary>
    public void ClearEntries()
    {
        foreach (var name in Names())
        {
            Remove(name);
        }
    }

    /// <summary>The entries alone, as one JSON object.</summary>
    public byte[] EntriesToUtf8()
    {
        var entries = new SessionDocument();
        entries.TakeEntries(this);
        return entries.ToUtf8();
    }

    /// <summary>Replaces the entries by those of another document.</summary>
    public void TakeEntries(SessionDocument other)
    {
        ClearEntries();
        foreach (ref readonly var entry in other.Entries)
        {
            if (!entry.IsHidden)
            {
                Append(entry);
            }
        }
    }

    public List<string> Names()
    {
        var names = new OrderedDictionary<string, bool>(_count, StringComparer.Ordinal);
        foreach (ref readonly var entry in Entries)
        {
            if (!entry.IsHidden)
            {
                names.TryAdd(entry.Name, true);
            }
        }

        return [.. names.Keys];
    }

    /// <summary>Whether both have the same entries in the same order, to the byte.</summary>
    public bool HasSameEntries(SessionDocument other)
    {
        var mine = Entries;
        var theirs = other.Entries;
        if (mine.Length != theirs.Length)
        {
            return false;
        }

        for (var i = 0; i < mine.Length; i++)
        {
            if (!mine[i].RawName.Span.SequenceEqual(theirs[i].RawName.Span) || !mine[i].Value.Span.SequenceEqual(theirs[i].Value.Span))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The document's size when it is written.</summary>
    public long Length
    {
        get
        {
            long length = 2 + MemberLength("cookie".Length, Cookie.Length) + MemberLength(MetadataName.Length, Metadata.Length);
            foreach (ref readonly var entry in Entries)
            {
                length += MemberLength(entry.RawName.Length, entry.Value.Length);
            }

            // No comma before the first member.
            return length > 2 ? length - 1 : 2;
        }
    }

    /// <summary>Writes the document: <c>cookie</c> first, as express-session does.</summary>
    public byte[] ToUtf8()
    {
        var bytes = new byte[Length];
        var rest = bytes.AsSpan(1);
        bytes[0] = (byte)'{';
        Write("cookie"u8, Cookie.Span, ref rest);
        Write(MetadataName.Span, Metadata.Span, ref rest);
        foreach (ref readonly var entry in Entries)
        {
            Write(entry.RawName.Span, entry.Value.Span, ref rest);
        }

        // The last member's comma gives way to the end.
        bytes[^1] = (byte)'}';
        return bytes;

        static void Write(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref Span<byte> rest)
        {
            if (value.IsEmpty)
            {
                return;
            }

            rest[0] = (byte)'"';
            name.CopyTo(rest[1..]);
            rest[name.Length + 1] = (byte)'"';
            rest[name.Length + 2] = (byte)':';
            value.CopyTo(rest[(name.Length + 3)..]);
            rest = rest[(name.Length + 3 + value.Length)..];
            rest[0] = (byte)',';
            rest = rest[1..];
        }
    }

    private static int MemberLength(int name, int value) => value == 0 ? 0 : name + value + 4;

    /// <summary>Of a name that stands twice the last counts, as for JSON.parse.</summary>
    private int IndexOf(string name)
    {
        var entries = Entries;
        for (var i = entries.Length - 1; i >= 0; i--)
        {
            if (!entries[i].IsHidden && entries[i].IsNamed(name))
            {
                return i;
            }
        }

        return -1;
    }

    private void Add(ReadOnlyMemory<byte> rawName, string? unescaped, ReadOnlyMemory<byte> value)
    {
        var plain = unescaped is null ? rawName.Span : default;
        if (unescaped is "cookie" || plain.SequenceEqual("cookie"u8))
        {
            Cookie = value;
        }
        else if (unescaped is "$sojourn" or "_sojourn" || plain.SequenceEqual("$sojourn"u8) || plain.SequenceEqual("_sojourn"u8))
        {
            Metadata = value;
            MetadataName = rawName;
        }
        else
        {
            var reserved = unescaped is not null ? EntryName.IsReserved(unescaped) : rawName.Length == 0 || plain[0] == (byte)'$' || plain.SequenceEqual("__proto__"u8);
            Append(new Entry(rawName, unescaped, value, reserved));
        }
    }

    private void Append(Entry entry)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _count == 0 ? 6 : _count * 2);
        }

        _entries[_count++] = entry;
    }
}
