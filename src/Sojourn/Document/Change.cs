using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sojourn.Document;

/// <summary>One thing that a request did to the session. Applied to the request's own document at once, and again to the fresh one after a conflict.</summary>
internal abstract class Change
{
    public abstract void Apply(SessionDocument document);
}

internal sealed class SetChange(string name, byte[] value) : Change
{
    public override void Apply(SessionDocument document) => document.Set(name, value);
}

/// <summary>Removes an entry, and remembers what it was in the document that was stored.</summary>
internal sealed class RemoveChange(string name) : Change
{
    public ReadOnlyMemory<byte> Removed { get; private set; }

    public override void Apply(SessionDocument document)
    {
        Removed = document.TryGet(name, out var value) ? value : default;
        document.Remove(name);
    }
}

/// <summary>Removes a flash entry that was read; one that was set anew meanwhile stays.</summary>
internal sealed class FlashReadChange(string name, ReadOnlyMemory<byte> seen) : Change
{
    public override void Apply(SessionDocument document)
    {
        if (document.TryGet(name, out var value) && value.Span.SequenceEqual(seen.Span))
        {
            document.Remove(name);
        }
    }
}

/// <summary>Removes the entries that the request saw; one that came meanwhile stays.</summary>
internal sealed class ClearChange(List<string> names) : Change
{
    public override void Apply(SessionDocument document)
    {
        foreach (var name in names)
        {
            document.Remove(name);
        }
    }
}

internal sealed class UpdateChange<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type) : Change
{
    /// <summary>The entry as it was last computed: after a commit, as it is stored.</summary>
    public byte[] Result { get; private set; } = [];

    public override void Apply(SessionDocument document)
    {
        var current = document.TryGet(name, out var entry) ? EntryValue.Read(name, Envelope.Open(entry).Value.Span, type) : default;
        Result = EntryValue.Write(name, update(current), type);
        document.Set(name, Result);
    }
}

/// <summary>Replaces what Sojourn itself keeps in the document.</summary>
internal sealed class MetadataChange(Func<SessionMetadata, SessionMetadata> change) : Change
{
    public override void Apply(SessionDocument document) =>
        document.Metadata = change(SessionMetadata.Parse(document.Metadata) ?? SessionMetadata.None).ToUtf8();
}

/// <summary>Replaces the cookie's attributes.</summary>
internal sealed class CookieChange(byte[] cookie) : Change
{
    public override void Apply(SessionDocument document) => document.Cookie = cookie;
}

/// <summary>Values to JSON and back, with errors that name the entry.</summary>
internal static class EntryValue
{
    public static T? Read<T>(string name, ReadOnlySpan<byte> utf8, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(utf8, type);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new SessionEntryException(name, typeof(T), "cannot be read", (e as JsonException)?.Path, e);
        }
    }

    public static object? Read(string name, ReadOnlySpan<byte> utf8, JsonTypeInfo type)
    {
        try
        {
            return JsonSerializer.Deserialize(utf8, type);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new SessionEntryException(name, type.Type, "cannot be read", (e as JsonException)?.Path, e);
        }
    }

    public static byte[] Write<T>(string name, T? value, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(value!, type);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException)
        {
            throw new SessionEntryException(name, typeof(T), "cannot be written", (e as JsonException)?.Path, e);
        }
    }
}
