using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sojourn.Document;

/// <summary>
/// An entry that is more than a value is a JSON object with members of ours around the value: <c>{"$flash":value}</c> is gone after the
/// request that reads it, <c>{"$until":"time","$value":value}</c> at its time. A Node application sees them as what they are.
/// </summary>
internal readonly ref struct Envelope
{
    private Envelope(ReadOnlyMemory<byte> value, bool isFlash, DateTimeOffset? until)
    {
        Value = value;
        IsFlash = isFlash;
        Until = until;
    }

    public ReadOnlyMemory<byte> Value { get; }

    public bool IsFlash { get; }

    public DateTimeOffset? Until { get; }

    /// <summary>Whether the value's lifetime is over: then the entry is as if it were not there.</summary>
    public bool IsPast(DateTimeOffset now) => Until <= now;

    /// <summary>The value; the type's default where there is no entry, or its lifetime is over.</summary>
    /// <exception cref="SessionEntryException">It cannot be read as this type.</exception>
    public T? Read<T>(string name, JsonTypeInfo<T> type, DateTimeOffset now) =>
        Value.IsEmpty || IsPast(now) ? default : EntryValue.Read(name, Value.Span, type);

    public static byte[] Flash(ReadOnlySpan<byte> value) => [.. "{\"$flash\":"u8, .. value, (byte)'}'];

    public static byte[] Kept(ReadOnlyMemory<byte> value, DateTimeOffset until) => JsonText.Write((value, until), static (writer, state) =>
    {
        writer.WriteStartObject();
        JsonText.WriteTime(writer, "$until"u8, state.until);
        writer.WritePropertyName("$value"u8);
        writer.WriteRawValue(state.value.Span, skipInputValidation: true);
        writer.WriteEndObject();
    });

    /// <summary>Takes the value out of an entry; an ordinary entry is its own value.</summary>
    public static Envelope Open(ReadOnlyMemory<byte> entry)
    {
        var span = entry.Span;
        if (span.Length == 0 || span[0] != (byte)'{' || span.IndexOf("$"u8) is < 0 or > 32)
        {
            return new Envelope(entry, false, null);
        }

        try
        {
            return OpenObject(entry);
        }
        catch (InvalidOperationException)
        {
            // A name with half of a surrogate pair is none of ours.
            return new Envelope(entry, false, null);
        }
    }

    private static Envelope OpenObject(ReadOnlyMemory<byte> entry)
    {
        var reader = new Utf8JsonReader(entry.Span, new JsonReaderOptions { MaxDepth = SessionDocument.MaxDepth });
        reader.Read();
        reader.Read();
        DateTimeOffset? until = null;
        while (reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("$until"u8))
            {
                reader.Read();
                until = reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var time) ? time : null;
                if (until is null)
                {
                    break;
                }
            }
            else if (reader.ValueTextEquals("$flash"u8) || (until is not null && reader.ValueTextEquals("$value"u8)))
            {
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                return new Envelope(entry[start..(int)reader.BytesConsumed], until is null, until);
            }
            else
            {
                break;
            }

            reader.Read();
        }

        return new Envelope(entry, false, null);
    }
}
