using System.Text.Json;

namespace Sojourn.Document;

/// <summary>What Sojourn adds to the document under <c>$sojourn</c>. Immutable; written only once one of its members is used.</summary>
internal sealed record SessionMetadata
{
    public static readonly SessionMetadata None = new();

    public string? Handle { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? AbsoluteExpiresAt { get; init; }

    public string? Subject { get; init; }

    /// <summary>Members of a later version of Sojourn, as they stand in the JSON: kept.</summary>
    private (string Name, ReadOnlyMemory<byte> Value)[] Unknown { get; init; } = [];

    /// <summary>Reads the member; <see langword="null"/> when it is of a format that this version does not know.</summary>
    public static SessionMetadata? Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return None;
        }

        try
        {
            return ParseObject(utf8);
        }
        catch (InvalidOperationException)
        {
            // A text with half of a surrogate pair is no text.
            return null;
        }
    }

    private static SessionMetadata? ParseObject(ReadOnlyMemory<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8.Span, new JsonReaderOptions { MaxDepth = SessionDocument.MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        string? handle = null, subject = null;
        DateTimeOffset? created = null, absolute = null;
        List<(string, ReadOnlyMemory<byte>)>? unknown = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("created"u8))
            {
                if (!ReadTime(ref reader, out created))
                {
                    return null;
                }
            }
            else if (reader.ValueTextEquals("absolute"u8))
            {
                if (!ReadTime(ref reader, out absolute))
                {
                    return null;
                }
            }
            else if (reader.ValueTextEquals("handle"u8))
            {
                if (!ReadText(ref reader, out handle))
                {
                    return null;
                }
            }
            else if (reader.ValueTextEquals("subject"u8))
            {
                if (!ReadText(ref reader, out subject))
                {
                    return null;
                }
            }
            else
            {
                var name = reader.GetString()!;
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                (unknown ??= []).Add((name, utf8[start..(int)reader.BytesConsumed]));
            }
        }

        return new SessionMetadata { Handle = handle, CreatedAt = created, AbsoluteExpiresAt = absolute, Subject = subject, Unknown = unknown is null ? [] : [.. unknown] };
    }

    public byte[] ToUtf8() => JsonText.Write(this, static (writer, metadata) =>
    {
        writer.WriteStartObject();
        JsonText.WriteText(writer, "handle"u8, metadata.Handle);
        JsonText.WriteTime(writer, "created"u8, metadata.CreatedAt);
        JsonText.WriteTime(writer, "absolute"u8, metadata.AbsoluteExpiresAt);
        JsonText.WriteText(writer, "subject"u8, metadata.Subject);
        foreach (var (name, value) in metadata.Unknown)
        {
            writer.WritePropertyName(name);
            writer.WriteRawValue(value.Span, skipInputValidation: true);
        }

        writer.WriteEndObject();
    });

    private static bool ReadText(ref Utf8JsonReader reader, out string? text)
    {
        text = reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return text is not null;
    }

    private static bool ReadTime(ref Utf8JsonReader reader, out DateTimeOffset? time)
    {
        time = reader.Read() && reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var value) ? value : null;
        return time is not null;
    }
}
