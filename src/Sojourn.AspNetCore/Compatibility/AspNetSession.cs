using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Sojourn.Document;

namespace Sojourn.AspNetCore.Compatibility;

/// <summary>
/// ASP.NET Core's own session over the same entries: bytes that are UTF-8 text without control characters are a JSON string,
/// others <c>{"$bytes":"base64"}</c>; an entry of another JSON kind reads as its UTF-8 text.
/// </summary>
internal sealed class AspNetSession(SessionFeature feature) : ISession
{
    public bool IsAvailable => feature.Session is not null;

    public string Id => feature.Current.Id;

    public IEnumerable<string> Keys => feature.Current.Names;

    public void Clear() => feature.Current.Clear();

    public Task CommitAsync(CancellationToken cancellationToken = default) => feature.Current.SaveIfChangedAsync(cancellationToken).AsTask();

    public async Task LoadAsync(CancellationToken cancellationToken = default)
    {
        await feature.LoadAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        _ = feature.Current;
    }

    public void Remove(string key) => feature.Current.Remove(key);

    public void Set(string key, byte[] value)
    {
        ArgumentNullException.ThrowIfNull(value);
        feature.Current.SetRaw(key, IsText(value)
            ? JsonSerializer.SerializeToUtf8Bytes(Encoding.UTF8.GetString(value), Document.SimpleTypesContext.Default.String)
            : [.. "{\"$bytes\":\""u8, .. Encoding.ASCII.GetBytes(Convert.ToBase64String(value)), .. "\"}"u8]);
    }

    public bool TryGetValue(string key, [NotNullWhen(true)] out byte[]? value)
    {
        if (!feature.Current.TryGetRaw(key, out var utf8))
        {
            value = null;
            return false;
        }

        var reader = new Utf8JsonReader(utf8.Span);
        reader.Read();
        value = reader.TokenType != JsonTokenType.String ? Bytes(ref reader) ?? utf8.ToArray()
            : JsonText.TextOf(ref reader) is { } text ? Encoding.UTF8.GetBytes(text)
            : utf8.ToArray();
        return true;
    }

    private static byte[]? Bytes(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.StartObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("$bytes"u8)
        && reader.Read() && reader.TokenType == JsonTokenType.String && reader.TryGetBytesFromBase64(out var bytes) ? bytes : null;

    private static bool IsText(byte[] value) =>
        !value.AsSpan().ContainsAnyInRange((byte)0, (byte)31) && !value.AsSpan().Contains((byte)127) && Utf8.IsValid(value);
}
