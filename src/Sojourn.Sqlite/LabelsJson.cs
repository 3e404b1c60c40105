using System.Buffers;
using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sojourn.Sqlite;

/// <summary>Labels as the column <c>labels</c> holds them: a JSON array of texts, from which SQLite itself fills its index.</summary>
internal static class LabelsJson
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // The writer's thread uses them for every write.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _json;

    public static Statement BindLabels(this Statement statement, int parameter, ImmutableArray<string> labels)
    {
        if (labels.IsEmpty) return statement.BindNull(parameter);
        var buffer = _buffer ??= new();
        var json = _json ??= new(buffer, Relaxed);
        buffer.ResetWrittenCount();
        json.Reset();
        json.WriteStartArray();
        foreach (var label in labels) json.WriteStringValue(label);
        json.WriteEndArray();
        json.Flush();
        return statement.BindText(parameter, buffer.WrittenSpan);
    }

    public static ImmutableArray<string> Parse(ReadOnlySpan<byte> column)
    {
        if (column.IsEmpty) return [];
        try
        {
            return ParseArray(column);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text that is no UTF-8, or half of a surrogate pair.
            throw new FormatException("The table of sessions holds labels that are no JSON array of texts: somebody else wrote them.", e);
        }
    }

    private static ImmutableArray<string> ParseArray(ReadOnlySpan<byte> column)
    {
        var labels = ImmutableArray.CreateBuilder<string>(2);
        var json = new Utf8JsonReader(column);
        while (json.Read())
        {
            if (json.TokenType is JsonTokenType.String) labels.Add(json.GetString()!);
        }
        return labels.DrainToImmutable();
    }
}
