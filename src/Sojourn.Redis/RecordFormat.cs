using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Sojourn.Storage;

namespace Sojourn.Redis;

/// <summary>
/// A record as one Redis string, so that a plain GET reads it: a byte that says which format, the version (8 bytes), the expiry in milliseconds
/// since 1970 (8), the length of the labels (4), each label's length (2) and text, the document. Numbers are big-endian.
/// </summary>
internal static class RecordFormat
{
    /// <summary>What a script compares: format and version.</summary>
    public const int HeadLength = 9;

    /// <summary>Where the expiry stands, which a touch writes.</summary>
    public const int ExpiryOffset = HeadLength;

    private const byte Format = 1;

    /// <summary>What every value begins with.</summary>
    public static readonly byte[] Mark = [Format];

    private const int LabelsOffset = 21;

    /// <summary>A record in an array of the shared pool.</summary>
    public static ArraySegment<byte> Rent(SessionRecord record, long version)
    {
        var labels = record.Labels.IsEmpty ? 0 : record.Labels.Sum(label => 2 + Encoding.UTF8.GetByteCount(label));
        var length = LabelsOffset + labels + record.Document.Length;
        var value = ArrayPool<byte>.Shared.Rent(length);
        value[0] = Format;
        BinaryPrimitives.WriteInt64BigEndian(value.AsSpan(1), version);
        BinaryPrimitives.WriteInt64BigEndian(value.AsSpan(ExpiryOffset), record.ExpiresAt.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(LabelsOffset - 4), labels);
        var rest = value.AsSpan(LabelsOffset);
        foreach (var label in record.Labels)
        {
            var bytes = Encoding.UTF8.GetBytes(label, rest[2..]);
            BinaryPrimitives.WriteUInt16BigEndian(rest, checked((ushort)bytes));
            rest = rest[(2 + bytes)..];
        }

        record.Document.Span.CopyTo(rest);
        return new(value, 0, length);
    }

    /// <exception cref="FormatException">The value is not one of ours.</exception>
    public static SessionRecord Read(byte[] value)
    {
        if (value.Length < LabelsOffset || value[0] != Format)
        {
            throw NoSession(null);
        }

        try
        {
            return ReadRecord(value);
        }
        catch (ArgumentException e)
        {
            // Lengths that lead past the end, a time that is none.
            throw NoSession(e);
        }
    }

    private static FormatException NoSession(Exception? cause) => new(
        "A Redis key with the prefix of sessions holds no session of this version. Give sessions a KeyPrefix of their own, or upgrade Sojourn.", cause);

    private static SessionRecord ReadRecord(byte[] value)
    {
        var version = BinaryPrimitives.ReadInt64BigEndian(value.AsSpan(1));
        var expiresAt = DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64BigEndian(value.AsSpan(ExpiryOffset)));
        var end = LabelsOffset + BinaryPrimitives.ReadInt32BigEndian(value.AsSpan(LabelsOffset - 4));
        var labels = ImmutableArray<string>.Empty;
        var offset = LabelsOffset;
        while (offset < end)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(value.AsSpan(offset));
            labels = labels.Add(Encoding.UTF8.GetString(value, offset + 2, length));
            offset += 2 + length;
        }

        if (offset != end)
        {
            throw NoSession(null);
        }

        return new SessionRecord(value.AsMemory(end), expiresAt, labels, new SessionVersion(version));
    }

    public static byte[] Head(SessionVersion version)
    {
        var head = new byte[HeadLength];
        head[0] = Format;
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(1), version.Number);
        return head;
    }

    public static byte[] Expiry(DateTimeOffset expiresAt)
    {
        var expiry = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(expiry, expiresAt.ToUnixTimeMilliseconds());
        return expiry;
    }
}
