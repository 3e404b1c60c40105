using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// The session's JSON object as slices of the stored bytes: read without making values, written with every entry that was not
/// touched as it was, byte for byte.
/// </summary>
internal sealed class SessionDocument
{
    public const int MaxDepth = 1000;
    private static readonly byte[] DefaultMetadataName = "$sojourn"u8.ToArray();

    /// <summary>Where a document is split, so that it gets an array of its size and no larger one.</summary>
    [ThreadStatic]
    private static Entry[]? _scratch;

    /// <summary>In entries; one that a single huge document made larger is not kept.</summary>
    private const int MaxScratch = 256;
    private ReadOnlyMemory<byte> _stored;
    private ReadOnlyMemory<byte> _metadata;
    private SessionMetadata? _readMetadata;
    private Entry[] _entries = [];
    private int _count;

    /// <summary>Whether others have the same array of entries: it is copied before it is changed.</summary>
    private bool _isShared;

    /// <summary>The <c>cookie</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Cookie { get; set; }

    /// <summary>The <c>$sojourn</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Metadata
    {
        get => _metadata;
        set => (_metadata, _readMetadata) = (value, null);
    }

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

    /// <summary>Splits a record's document, as <see cref="Parse"/> does. Bytes that were split or written in this process before are not checked again, and those of a busy session not split again.</summary>
    public static SessionDocument? Of(SessionRecord record)
    {
        if (!record.IsWellFormed)
        {
            var fresh = Parse(record.Document);
            if (fresh is not null)
            {
                record.MarkWellFormed();
            }

            return fresh;
        }

        if (SplitDocuments.Find(record) is { } known)
        {
            return known.Copy();
        }

        var document = Parse(record.Document, isWellFormed: true);
        return document?.ReadMetadata() is not null && SplitDocuments.Note(record, document) ? document.Copy() : document;
    }

    /// <summary>Splits a stored document; <see langword="null"/> when it is not one JSON object in UTF-8, or is one that encryption sealed and nobody opened.</summary>
    /// <param name="utf8">The document.</param>
    /// <param name="isWellFormed">Whether it is known to be JSON.</param>
    public static SessionDocument? Parse(ReadOnlyMemory<byte> utf8, bool isWellFormed = false)
    {
        var document = new SessionDocument { _stored = utf8, _entries = _scratch ??= new Entry[16] };
        try
        {
            if (isWellFormed && document.TrySplit(utf8.Span))
            {
                return document;
            }

            // A name with an escape, or white space: as for bytes that nobody has seen.
            document._count = 0;
            return Utf8.IsValid(utf8.Span) && document.Read(utf8.Span) ? document : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped name that is no valid text.
            return null;
        }
        finally
        {
            var scratch = document._entries;
            document._entries = document.Entries.ToArray();
            scratch.AsSpan(0, document._count).Clear();
            _scratch = scratch.Length <= MaxScratch ? scratch : null;
        }
    }

    /// <summary>The bytes that it was split from.</summary>
    public ReadOnlyMemory<byte> Stored => _stored;

    /// <summary>What Sojourn keeps in the document; <see langword="null"/> when that is of a format that this version does not know. Read once, until it is replaced.</summary>
    public SessionMetadata? ReadMetadata() => _readMetadata ??= SessionMetadata.Parse(_metadata);

    /// <summary>The same document, to be changed by somebody; this one must not be changed any more.</summary>
    public SessionDocument Copy()
    {
        var copy = (SessionDocument)MemberwiseClone();
        copy._isShared = true;
        return copy;
    }

    public bool TryGet(string name, out ReadOnlyMemory<byte> value)
    {
        var index = IndexOf(name);
        value = index < 0 ? default : _entries[index].Value(_stored);
        return index >= 0;
    }

    public void Set(string name, byte[] value)
    {
        var index = IndexOf(name);
        if (index >= 0)
        {
            OwnEntries();
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
            OwnEntries();
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
                Append(entry.MovedFrom(other._stored));
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
                names.TryAdd(entry.Name(_stored), true);
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
            if (!mine[i].RawName(_stored).Span.SequenceEqual(theirs[i].RawName(other._stored).Span)
                || !mine[i].Value(_stored).Span.SequenceEqual(theirs[i].Value(other._stored).Span))
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
                length += MemberLength(entry.RawName(_stored).Length, entry.Value(_stored).Length);
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
            Write(entry.RawName(_stored).Span, entry.Value(_stored).Span, ref rest);
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
            if (!entries[i].IsHidden && entries[i].IsNamed(name, _stored))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Reads bytes that nobody has seen before: whether they are one JSON object that nothing sealed.</summary>
    private bool Read(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var nameStart = (int)reader.TokenStartIndex + 1;
            var name = nameStart..(nameStart + reader.ValueSpan.Length);
            var unescaped = reader.ValueIsEscaped ? reader.GetString() : null;
            if (unescaped is "$sealed" || utf8[name].SequenceEqual("$sealed"u8))
            {
                return false;
            }

            reader.Read();
            var valueStart = (int)reader.TokenStartIndex;
            reader.Skip();
            Add(name, unescaped, valueStart..(int)reader.BytesConsumed);
        }

        // Anything but white space after the object makes the reader throw.
        return !reader.Read();
    }

    /// <summary>Splits JSON that is known to be well formed, and is written as we and express-session write it; false where it is written otherwise.</summary>
    private bool TrySplit(ReadOnlySpan<byte> utf8)
    {
        for (var at = 1; ; at++)
        {
            if (!Is(utf8, at, (byte)'"'))
            {
                return at == 1 && utf8.SequenceEqual("{}"u8);
            }

            var length = utf8[(at + 1)..].IndexOfAny((byte)'"', (byte)'\\');
            var name = (at + 1)..(at + 1 + Math.Max(length, 0));
            at = name.End.Value + 1;
            if (length < 0 || utf8[at - 1] != (byte)'"' || !Is(utf8, at, (byte)':'))
            {
                return false;
            }

            var value = (at + 1)..JsonScan.EndOfValue(utf8, at + 1);
            Add(name, unescaped: null, value);
            at = value.End.Value;
            if (!Is(utf8, at, (byte)','))
            {
                return Is(utf8, at, (byte)'}') && at + 1 == utf8.Length;
            }
        }

        static bool Is(ReadOnlySpan<byte> utf8, int at, byte expected) => (uint)at < (uint)utf8.Length && utf8[at] == expected;
    }

    private void Add(Range name, string? unescaped, Range value)
    {
        var plain = unescaped is null ? _stored.Span[name] : default;
        if (unescaped is "cookie" || plain.SequenceEqual("cookie"u8))
        {
            Cookie = _stored[value];
        }
        else if (unescaped is "$sojourn" or "_sojourn" || plain.SequenceEqual("$sojourn"u8) || plain.SequenceEqual("_sojourn"u8))
        {
            Metadata = _stored[value];
            MetadataName = _stored[name];
        }
        else if (unescaped is not null)
        {
            Append(new Entry(_stored[name], unescaped, _stored[value], EntryName.IsReserved(unescaped)));
        }
        else if (plain.IsEmpty || plain[0] == (byte)'$' || plain.SequenceEqual("__proto__"u8))
        {
            Append(new Entry(_stored[name], null, _stored[value], isHidden: true));
        }
        else
        {
            Append(new Entry(name, value));
        }
    }

    private void OwnEntries()
    {
        if (_isShared)
        {
            _entries = Entries.ToArray();
            _isShared = false;
        }
    }

    private void Append(Entry entry)
    {
        OwnEntries();
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(4, _count * 2));
        }

        _entries[_count++] = entry;
    }
}
