using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;

namespace Sojourn.Document;

/// <summary>
/// The session's JSON object as slices of the stored bytes: read without making values, written with every entry that was not
/// touched as it was, byte for byte.
/// </summary>
internal sealed partial class SessionDocument
{
    private static readonly byte[] DefaultMetadataName = "$sojourn"u8.ToArray();

    private ReadOnlyMemory<byte> _stored;
    private ReadOnlyMemory<byte> _cookie;
    private ReadOnlyMemory<byte> _metadata;
    private SessionMetadata? _readMetadata;
    private SessionRecord? _record;
    private NearCopy? _copy;
    private Entry[] _entries = [];
    private int _count;

    /// <summary>Where the last name was that was looked for: most are looked for again, to be set after they were read.</summary>
    private int _lastIndex = -1;

    /// <summary>Whether others have the same array of entries: it is copied before it is changed.</summary>
    private bool _sharesEntries;

    /// <summary>Whether it says something else than the bytes that it was split from, or was written to.</summary>
    private bool _isChanged;

    /// <summary>Whether the stored bytes are as it writes them.</summary>
    private bool _isOfOurWriting;

    /// <summary>What it is to be written to, where all that has changed is done in it already.</summary>
    private byte[]? _writtenAhead;

    /// <summary>The <c>cookie</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Cookie
    {
        get => _cookie;
        set
        {
            BeginChange();
            _cookie = value;
        }
    }

    /// <summary>The <c>$sojourn</c> member as stored; empty in a document that has none.</summary>
    public ReadOnlyMemory<byte> Metadata
    {
        get => _metadata;
        set
        {
            BeginChange();
            (_metadata, _readMetadata) = (value, null);
        }
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

    /// <summary>Whether it says what these bytes say, as far as it is not written anew.</summary>
    public bool IsOf(ReadOnlyMemory<byte> stored) => !_isChanged && (_stored.Equals(stored) || _stored.Span.SequenceEqual(stored.Span));

    /// <summary>
    /// Whether it is remembered for the session's next request, or a copy of one that is: then what is written in its place is worth remembering, too.
    /// </summary>
    public bool IsRemembered { get; private set; }

    /// <summary>
    /// What Sojourn keeps in the document; <see langword="null"/> when that is of a format that this version does not know. Read once, until it is replaced.
    /// </summary>
    public SessionMetadata? ReadMetadata() => _readMetadata ??= SessionMetadata.Parse(_metadata);

    /// <summary>The same in a document that is a session's: one of another format is never opened.</summary>
    public SessionMetadata OwnMetadata => ReadMetadata() ?? SessionMetadata.None;

    /// <summary>Whether requests share it, so that nobody may change it. It has the copies that are <see cref="Owned"/> for that.</summary>
    public bool IsShared { get; private set; }

    /// <summary>While it is remembered: the record that it was split from or written to, or one of the same bytes that came after.</summary>
    public SessionRecord? Record
    {
        get => Volatile.Read(ref _record);
        set => Volatile.Write(ref _record, value);
    }

    /// <summary>While it is remembered: the copy of a near cache that has the same bytes, or had them.</summary>
    public NearCopy? Copy
    {
        get => Volatile.Read(ref _copy);
        set => Volatile.Write(ref _copy, value);
    }

    /// <summary>Leaves the document to everybody, and to nobody to change.</summary>
    public void Share() => IsRemembered = IsShared = true;

    /// <summary>The document, or a copy of a shared one, to be changed by whoever asks.</summary>
    public SessionDocument Owned()
    {
        if (!IsShared)
        {
            return this;
        }

        var copy = (SessionDocument)MemberwiseClone();
        copy.IsShared = false;
        copy._sharesEntries = true;
        copy._copy = null;
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
        if (index >= 0 && _isOfOurWriting && !_isChanged && _entries[index].CanHold(value))
        {
            SetAhead(_entries[index], value);
        }
        else if (index >= 0)
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
            _lastIndex = -1;
            removed = true;
        }

        return removed;
    }

    /// <summary>Removes every entry that the application could have made.</summary>
    public void ClearEntries() => RemoveAll(null);

    /// <summary>Removes the entries of these names, or all that the application could have made.</summary>
    public void RemoveAll(HashSet<string>? names)
    {
        OwnEntries();
        var kept = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_entries[i].IsHidden || names?.Contains(_entries[i].Name(_stored)) == false)
            {
                _entries[kept++] = _entries[i];
            }
        }

        _entries.AsSpan(kept, _count - kept).Clear();
        _count = kept;
        _lastIndex = -1;
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

    /// <param name="isMeant">Which entries count, by their values; all when <see langword="null"/>.</param>
    public List<string> Names(Func<ReadOnlyMemory<byte>, bool>? isMeant = null)
    {
        var last = new OrderedDictionary<string, int>(_count, StringComparer.Ordinal);
        for (var i = 0; i < _count; i++)
        {
            if (!_entries[i].IsHidden)
            {
                last[_entries[i].Name(_stored)] = i;
            }
        }

        var names = new List<string>(last.Count);
        foreach (var (name, index) in last)
        {
            if (isMeant is null || isMeant(_entries[index].Value(_stored)))
            {
                names.Add(name);
            }
        }

        return names;
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
            if (_writtenAhead is { } written)
            {
                return written.Length;
            }

            long length = 2 + MemberLength("cookie".Length, Cookie.Length) + MemberLength(MetadataName.Length, Metadata.Length);
            foreach (ref readonly var entry in Entries)
            {
                length += MemberLength(0, entry.Length);
            }

            // No comma before the first member.
            return length > 2 ? length - 1 : 2;
        }
    }

    /// <summary>
    /// Writes the document: <c>cookie</c> first, as express-session does. It goes on as slices of what was written, so that nobody has to split that.
    /// </summary>
    public byte[] ToUtf8() => ToUtf8(Length);

    /// <param name="size">The <see cref="Length"/>, for whoever knows it already.</param>
    public byte[] ToUtf8(long size)
    {
        if (_writtenAhead is { } written)
        {
            (_writtenAhead, _isChanged) = (null, false);
            return written;
        }

        OwnEntries();
        var bytes = new byte[size];
        var length = 1;
        bytes[0] = (byte)'{';
        var (_, cookie) = Write("cookie"u8, _cookie.Span, bytes, ref length);
        var (metadataName, metadata) = Write(MetadataName.Span, _metadata.Span, bytes, ref length);
        for (var entries = _entries.AsSpan(0, _count); !entries.IsEmpty;)
        {
            entries = entries[WriteFirst(entries, bytes, ref length)..];
        }

        // The last member's comma gives way to the end.
        bytes[^1] = (byte)'}';
        MoveTo(bytes, cookie, metadataName, metadata);
        (_isChanged, _isOfOurWriting) = (false, true);
        return bytes;
    }

    /// <summary>
    /// A first change that leaves every member where it stands is done in a copy of the bytes: it is what is written then, and the entries stay shared.
    /// </summary>
    private void SetAhead(in Entry entry, byte[] value)
    {
        BeginChange();
        var bytes = _stored.ToArray();
        entry.Overwrite(bytes, value);
        MoveTo(bytes, RangeOf(_cookie), RangeOf(MetadataName), RangeOf(_metadata));
        _writtenAhead = bytes;
    }

    /// <summary>Goes on as slices of these bytes.</summary>
    private void MoveTo(byte[] bytes, Range cookie, Range metadataName, Range metadata)
    {
        _cookie = bytes.AsMemory(cookie);
        if (!_metadata.IsEmpty)
        {
            (_metadata, MetadataName) = (bytes.AsMemory(metadata), bytes.AsMemory(metadataName));
            _readMetadata = _readMetadata is { HasSlices: true } ? null : _readMetadata;
        }

        _stored = bytes;
    }

    /// <summary>Where a slice stands in its array.</summary>
    private static Range RangeOf(ReadOnlyMemory<byte> slice) =>
        MemoryMarshal.TryGetArray(slice, out var array) ? array.Offset..(array.Offset + array.Count) : default;

    /// <summary>Writes the first entries that stand together in the stored bytes, or else the first one.</summary>
    /// <returns>How many were written.</returns>
    private int WriteFirst(Span<Entry> entries, byte[] bytes, ref int length)
    {
        var (start, end, together) = (entries[0].MemberStart, entries[0].MemberStart, 0);
        while (together < entries.Length && entries[together].TryMoveBy(length - start, ref end))
        {
            together++;
        }

        if (together == 0)
        {
            var (name, value) = Write(entries[0].RawName(_stored).Span, entries[0].Value(_stored).Span, bytes, ref length);
            entries[0] = entries[0].MovedTo(bytes, name, value);
            return 1;
        }

        // The last one's comma may be the end of the stored object.
        var members = _stored.Span[start..(end - 1)];
        members.CopyTo(bytes.AsSpan(length));
        length += members.Length;
        bytes[length++] = (byte)',';
        return together;
    }

    private static (Range Name, Range Value) Write(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, byte[] bytes, ref int length)
    {
        if (value.IsEmpty)
        {
            return default;
        }

        bytes[length] = (byte)'"';
        var nameStart = length + 1;
        name.CopyTo(bytes.AsSpan(nameStart));
        bytes[nameStart + name.Length] = (byte)'"';
        bytes[nameStart + name.Length + 1] = (byte)':';
        var valueStart = nameStart + name.Length + 2;
        value.CopyTo(bytes.AsSpan(valueStart));
        bytes[valueStart + value.Length] = (byte)',';
        length = valueStart + value.Length + 1;
        return (nameStart..(nameStart + name.Length), valueStart..(valueStart + value.Length));
    }

    private static long MemberLength(long name, long value) => value == 0 ? 0 : name + value + 4;

    /// <summary>Of a name that stands twice the last counts, as for JSON.parse.</summary>
    private int IndexOf(string name)
    {
        var entries = Entries;
        var stored = _stored.Span;
        var last = _lastIndex;
        if ((uint)last < (uint)entries.Length && entries[last].IsNamed(name, stored))
        {
            return last;
        }

        for (var i = entries.Length - 1; i >= 0; i--)
        {
            if (entries[i].IsNamed(name, stored))
            {
                return _lastIndex = i;
            }
        }

        return -1;
    }

    private void OwnEntries()
    {
        BeginChange();
        if (_sharesEntries)
        {
            _entries = Entries.ToArray();
            _sharesEntries = false;
        }
    }

    private void BeginChange()
    {
        if (IsShared)
        {
            throw new InvalidOperationException("The document is shared by requests, and was about to be changed for all of them.");
        }

        (_isChanged, _writtenAhead) = (true, null);
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
