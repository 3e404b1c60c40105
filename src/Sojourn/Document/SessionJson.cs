using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Sojourn.Document;

/// <summary>Sojourn's own JSON options: web defaults, text left readable, and the simple types known without reflection.</summary>
internal static class SessionJson
{
    public static JsonSerializerOptions CreateOptions() => new(JsonSerializerDefaults.Web)
    {
        // The document is never part of a page: escaping for HTML would only make it longer.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = JsonSerializer.IsReflectionEnabledByDefault ? ReflectionResolver() : SimpleTypesContext.Default,
    };

    /// <summary>As the serializer does with the options of an application at their first use; texts and numbers go past it.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "A resolver is filled in only where reflection is enabled: not in trimmed programs.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "A resolver is filled in only where reflection is enabled: not in AOT programs.")]
    public static void MakeReadOnly(JsonSerializerOptions options) =>
        options.MakeReadOnly(populateMissingResolver: JsonSerializer.IsReflectionEnabledByDefault);

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only reached where reflection is enabled, which trimmed and AOT programs switch off.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only reached where reflection is enabled, which trimmed and AOT programs switch off.")]
    private static DefaultJsonTypeInfoResolver ReflectionResolver() => new();
}

[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(bool?))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(int?))]
[JsonSerializable(typeof(long))]
[JsonSerializable(typeof(long?))]
[JsonSerializable(typeof(double))]
[JsonSerializable(typeof(double?))]
[JsonSerializable(typeof(decimal))]
[JsonSerializable(typeof(decimal?))]
[JsonSerializable(typeof(DateTime))]
[JsonSerializable(typeof(DateTime?))]
[JsonSerializable(typeof(DateTimeOffset))]
[JsonSerializable(typeof(DateTimeOffset?))]
[JsonSerializable(typeof(TimeSpan))]
[JsonSerializable(typeof(TimeSpan?))]
[JsonSerializable(typeof(Guid))]
[JsonSerializable(typeof(Guid?))]
[JsonSerializable(typeof(byte[]))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(List<string>))]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonNode))]
internal sealed partial class SimpleTypesContext : JsonSerializerContext;
