using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sojourn.MySql;

/// <summary>Labels as the column <c>labels</c> holds them: a JSON array of texts; and as the index of labels does: by their SHA-256.</summary>
internal static class LabelsJson
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string? Write(ImmutableArray<string> labels)
    {
        if (labels.IsEmpty)
        {
            return null;
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartArray();
            foreach (var label in labels)
            {
                json.WriteStringValue(label);
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    public static ImmutableArray<string> Read(string column)
    {
        var labels = ImmutableArray.CreateBuilder<string>(2);
        var json = new Utf8JsonReader(Encoding.UTF8.GetBytes(column));
        while (json.Read())
        {
            if (json.TokenType is JsonTokenType.String)
            {
                labels.Add(json.GetString()!);
            }
        }

        return labels.DrainToImmutable();
    }

    /// <summary>Texts of any length and script, told apart to the last bit.</summary>
    public static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
