using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sojourn.ExpressConformance;

/// <summary>The text of a record, which need not be JSON.</summary>
internal static class StoredText
{
    public static JsonObject? Parsed(ReadOnlySpan<byte> text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static JsonNode ParsedOrRaw(ReadOnlySpan<byte> text) => Parsed(text) ?? new JsonObject { ["$raw"] = Encoding.UTF8.GetString(text) };

    /// <summary>Until when the record's cookie lives, by its own words.</summary>
    public static DateTimeOffset? ExpiryIn(JsonObject? record) => OptionsJson.ReadDate(record?["cookie"]?["expires"]);
}
