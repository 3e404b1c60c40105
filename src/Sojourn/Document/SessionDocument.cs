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
