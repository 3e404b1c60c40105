using System.Runtime.InteropServices;

namespace Sojourn.Document;

/// <content>How a document becomes bytes again, and goes on as slices of them.</content>
internal sealed partial class SessionDocument
{
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
}
