using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// What a forwarding record says, which stands under the key of an id that renewed itself: where the session is now. It is no session: it bears no label, opens
/// nothing, and holds no id.
/// </summary>
/// <param name="To">The key of the next id; never the id itself.</param>
/// <param name="Nonce">What the next id was made with besides this one and the secret; kept nowhere else.</param>
/// <param name="Until">How long the id still finds the session.</param>
internal sealed record Forwarding(string To, string Nonce, DateTimeOffset Until)
{
    /// <summary>In bytes; a document that is longer is looked at no further.</summary>
    private const int MaxLength = 512;

    /// <summary>What a record says, if it is a forwarding record.</summary>
    public static Forwarding? Of(SessionRecord record) =>
        record.Document.Length <= MaxLength
        && record.Document.Span.IndexOf("\"forward\""u8) >= 0
        && SessionDocument.Of(record) is { } document
            ? Parse(document.Metadata)
            : null;

    public SessionRecord ToRecord(DateTimeOffset expiresAt)
    {
        var document = new SessionDocument
        {
            Cookie = """{"originalMaxAge":null,"expires":null}"""u8.ToArray(),
            Metadata = JsonText.Write(this, static (writer, forwarding) =>
            {
                writer.WriteStartObject();
                writer.WriteStartObject("forward"u8);
                JsonText.WriteText(writer, "to"u8, forwarding.To);
                JsonText.WriteText(writer, "nonce"u8, forwarding.Nonce);
                JsonText.WriteTime(writer, "until"u8, forwarding.Until);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }),
        };
        return SessionRecord.OfWritten(document.ToUtf8(), expiresAt);
    }

    private static Forwarding? Parse(ReadOnlyMemory<byte> metadata)
    {
        if (metadata.IsEmpty)
        {
            return null;
        }

        var members = new MemberReader(metadata);
        while (members.MoveNext())
        {
            if (members.Is("forward"u8))
            {
                return ParseObject(members.ReadRaw());
            }

            members.ReadRaw();
        }

        return null;
    }

    private static Forwarding? ParseObject(ReadOnlyMemory<byte> utf8)
    {
        var members = new MemberReader(utf8);
        string? to = null, nonce = null;
        DateTimeOffset? until = null;
        while (members.MoveNext())
        {
            var isText = members.Is("to"u8) ? members.TryReadText(out to)
                : members.Is("nonce"u8) ? members.TryReadText(out nonce)
                : members.Is("until"u8) ? members.TryReadTime(out until)
                : !members.ReadRaw().IsEmpty;
            if (!isText)
            {
                return null;
            }
        }

        return to is not null && nonce is not null && until is { } end ? new Forwarding(to, nonce, end) : null;
    }
}
