using System.Text.Json.Nodes;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>A session of <c>tests/crossstore/sessions.json</c>: what both sides have to agree on.</summary>
internal sealed record CrossSession(string Sid, TimeSpan? MaxAge, JsonObject CookieOptions, JsonObject Data)
{
    public static CrossSession Parse(JsonObject from) => new(
        from["sid"]!.GetValue<string>(),
        from["maxAge"] is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds.GetValue<long>()) : null,
        from["cookie"]?.DeepClone().AsObject() ?? [],
        new JsonObject(from["data"]!.AsObject().Select(entry => KeyValuePair.Create(entry.Key, Repeated(entry.Value)))));

    public JsonObject ToJson() => new()
    {
        ["sid"] = Sid,
        ["maxAge"] = MaxAge is { } maxAge ? (long)maxAge.TotalMilliseconds : null,
        ["cookie"] = CookieOptions.DeepClone(),
        ["data"] = Data.DeepClone(),
    };

    public CrossSession Without(string name) => this with
    {
        Data = new JsonObject(Data.Where(entry => entry.Key != name).Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone()))),
    };

    /// <summary>The session with these entries besides.</summary>
    public CrossSession With(JsonObject more) => this with
    {
        Data = new JsonObject(Data.Concat(more).Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone()))),
    };

    private static JsonNode? Repeated(JsonNode? value) =>
        value is JsonObject repeated && repeated["$repeat"] is JsonArray text
            ? string.Concat(Enumerable.Repeat(text[0]!.GetValue<string>(), text[1]!.GetValue<int>()))
            : value?.DeepClone();
}
