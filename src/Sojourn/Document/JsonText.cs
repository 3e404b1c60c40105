using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sojourn.Document;

/// <summary>Writes small pieces of JSON the way JavaScript does.</summary>
internal static class JsonText
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write<TState>(TState state, Action<Utf8JsonWriter, TState> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            write(writer, state);
        }

        return buffer.WrittenSpan.ToArray();
    }

    public static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? text)
    {
        if (text is not null)
        {
            writer.WriteString(name, text);
        }
    }

    public static void WriteTexts(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string[] texts)
    {
        if (texts.Length > 0)
        {
            writer.WriteStartArray(name);
            foreach (var text in texts)
            {
                writer.WriteStringValue(text);
            }

            writer.WriteEndArray();
        }
    }

    public static void WriteRaw(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> json)
    {
        if (!json.IsEmpty)
        {
            writer.WritePropertyName(name);
            writer.WriteRawValue(json.Span, skipInputValidation: true);
        }
    }

    public static void WriteTime(Utf8JsonWriter writer, ReadOnlySpan<byte> name, DateTimeOffset? time)
    {
        if (time is { } value)
        {
            Span<byte> text = stackalloc byte[24];
            FormatTime(value, text);
            writer.WriteString(name, text);
        }
    }

    /// <summary>The text at which the reader stands; <see langword="null"/> where an escape in it is half of a surrogate pair.</summary>
    public static string? TextOf(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The time at which the reader stands; <see langword="null"/> where the text there is none.</summary>
    public static DateTimeOffset? TimeOf(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.TryGetDateTimeOffset(out var time) ? time : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A time as JavaScript's toISOString writes it: UTC, milliseconds, Z.</summary>
    private static void FormatTime(DateTimeOffset time, Span<byte> destination) =>
        time.UtcDateTime.TryFormat(destination, out _, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
