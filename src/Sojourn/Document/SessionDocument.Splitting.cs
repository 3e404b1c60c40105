using System.Text.Json;
using System.Text.Unicode;
using Sojourn.Storage;

namespace Sojourn.Document;

/// <content>How stored bytes become a document: where each member begins and ends.</content>
internal sealed partial class SessionDocument
{
    public const int MaxDepth = 1000;

    /// <summary>Where a document is split, so that it gets an array of its size and no larger one.</summary>
    [ThreadStatic]
    private static Entry[]? _scratch;

    /// <summary>In entries; one that a single huge document made larger is not kept.</summary>
    private const int MaxScratch = 256;

    /// <summary>
    /// Splits a record's document, as <see cref="Parse"/> does. Bytes that were split or written in this process before are not checked again.
    /// </summary>
    public static SessionDocument? Of(SessionRecord record)
    {
        var document = Parse(record.Document, record.IsWellFormed);
        if (document is not null)
        {
            record.MarkWellFormed();
        }

        return document;
    }

    /// <summary>
    /// Splits a stored document; <see langword="null"/> when it is not one JSON object in UTF-8, or is one that encryption sealed and nobody opened.
    /// </summary>
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
            document._isChanged = false;
            scratch.AsSpan(0, document._count).Clear();
            _scratch = scratch.Length <= MaxScratch ? scratch : null;
        }
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
            Append(Entry.Of(_stored, name, value));
        }
    }
}
