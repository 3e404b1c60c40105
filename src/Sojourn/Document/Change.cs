using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Sojourn.Document;

/// <summary>One thing that a request did to the session. Applied to the request's own document at once, and again to the fresh one after a conflict.</summary>
internal abstract class Change
{
    /// <summary>What the request did after it (<see cref="PendingChanges"/>).</summary>
    public Change? Next { get; set; }

    /// <summary>Whether it is for a new id alone: never to be stored under the old one.</summary>
    public virtual bool NeedsNewId => false;

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
    private readonly HashSet<string> _names = new(names, StringComparer.Ordinal);

    public override void Apply(SessionDocument document) => document.RemoveAll(_names);
}

internal sealed class UpdateChange<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type, TimeProvider time) : Change
{
    /// <summary>The entry as it was last computed: after a commit, as it is stored.</summary>
    public byte[] Result { get; private set; } = [];

    public override void Apply(SessionDocument document)
    {
        document.TryGet(name, out var entry);
        Result = EntryValue.Write(name, update(Envelope.Open(entry).Read(name, type, time.GetUtcNow())), type);
        document.Set(name, Result);
    }
}

/// <summary>Replaces what Sojourn itself keeps in the document.</summary>
internal class MetadataChange(Func<SessionMetadata, SessionMetadata> change, bool needsNewId = false) : Change
{
    public override bool NeedsNewId => needsNewId;

    public override void Apply(SessionDocument document) =>
        document.Metadata = change(document.OwnMetadata).ToUtf8();
}

/// <summary>A user signs in. Entries of another subject never stay, nor do any where the sign-in says so.</summary>
internal sealed class SignInChange(string subject, bool keepsEntries, Func<SessionMetadata, SessionMetadata> signIn) : MetadataChange(signIn, needsNewId: true)
{
    public override void Apply(SessionDocument document)
    {
        if (!KeepsEntries(document.OwnMetadata))
        {
            document.ClearEntries();
        }

        base.Apply(document);
    }

    public bool KeepsEntries(SessionMetadata before) =>
        keepsEntries && before.Actor is null && (before.Subject is null || string.Equals(before.Subject, subject, StringComparison.Ordinal));
}

/// <summary>The session's subject begins to act as another one, with no entry of their own before them.</summary>
internal sealed class ImpersonateChange(string subject, ReadOnlyMemory<byte> ticket) : Change
{
    public override bool NeedsNewId => true;

    public override void Apply(SessionDocument document)
    {
        var metadata = document.OwnMetadata;
        var actor = new SessionActor(metadata.Subject!)
        {
            SignedInAt = metadata.SignedInAt,
            Labels = metadata.Labels,
            Ticket = metadata.Ticket,
            Entries = document.EntriesToUtf8(),
        };
        document.ClearEntries();

        // No time of a sign-in: what needs a fresh one is not for somebody who acts as the user.
        document.Metadata = (metadata with { Subject = subject, Ticket = ticket, SignedInAt = null, Labels = [], Actor = actor }).ToUtf8();
    }
}

/// <summary>Whoever acted as another subject is themselves again, with the entries that they had.</summary>
internal sealed class StopImpersonatingChange : Change
{
    public override bool NeedsNewId => true;

    public override void Apply(SessionDocument document)
    {
        var metadata = document.OwnMetadata;
        if (metadata.Actor is { } actor)
        {
            document.TakeEntries(SessionDocument.Parse(actor.Entries) ?? new SessionDocument());
            document.Metadata =
                (metadata with { Subject = actor.Subject, Ticket = actor.Ticket, SignedInAt = actor.SignedInAt, Labels = actor.Labels, Actor = null }).ToUtf8();
        }
    }
}

/// <summary>Binds the session to a device, or goes on to the next challenge, if the stored session is still as whoever does it saw it.</summary>
/// <param name="signedInAt">When whoever is bound signed in; counts where nothing is bound yet.</param>
/// <param name="expected">The binding that was seen; <see langword="null"/> for none.</param>
/// <param name="change">From that binding to the next.</param>
internal sealed class BindingChange(DateTimeOffset? signedInAt, SessionBinding? expected, Func<SessionBinding?, SessionBinding> change) : Change
{
    /// <summary>Whether it was done to the document that was stored.</summary>
    public bool IsDone { get; private set; }

    public override void Apply(SessionDocument document)
    {
        var metadata = document.OwnMetadata;
        IsDone = expected is null
            ? metadata.Binding is null && metadata.Subject is not null && metadata.SignedInAt == signedInAt
            : metadata.Binding?.Id == expected.Id && metadata.Binding.Challenge == expected.Challenge;
        if (IsDone)
        {
            document.Metadata = (metadata with { Binding = change(metadata.Binding) }).ToUtf8();
        }
    }
}

/// <summary>Replaces the cookie's attributes.</summary>
internal sealed class CookieChange(byte[] cookie) : Change
{
    public override void Apply(SessionDocument document) => document.Cookie = cookie;
}

/// <summary>Values to JSON and back, with errors that name the entry.</summary>
internal static class EntryValue
{
    private static readonly Type NullableInt32Converter = SimpleTypesContext.Default.NullableInt32.Converter.GetType();

    /// <summary>Of read-only options, so that it stays so.</summary>
    private static JsonTypeInfo? _lastPlain;

    public static T? Read<T>(string name, ReadOnlySpan<byte> utf8, JsonTypeInfo<T> type)
    {
        if (typeof(T) == typeof(string) && utf8 is [(byte)'"', ..] && ReferenceEquals(type.Converter, JsonMetadataServices.StringConverter)
            && !utf8.Contains((byte)'\\'))
        {
            // Between its quotes it is the text.
            return (T)(object)Encoding.UTF8.GetString(utf8[1..^1]);
        }

        if (typeof(T) == typeof(int) && ReferenceEquals(type.Converter, JsonMetadataServices.Int32Converter)
            && Utf8Parser.TryParse(utf8, out int number, out var length) && length == utf8.Length)
        {
            return (T)(object)number;
        }

        if (typeof(T) == typeof(int?) && IsPlain(type) && Utf8Parser.TryParse(utf8, out int some, out var end) && end == utf8.Length)
        {
            return (T)(object)some;
        }

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
        if (typeof(T) == typeof(int) && ReferenceEquals(type.Converter, JsonMetadataServices.Int32Converter) && !WritesNumbersAsText(type))
        {
            // Counters are what sessions hold most, after texts.
            Span<byte> digits = stackalloc byte[11];
            Utf8Formatter.TryFormat((int)(object)value!, digits, out var length);
            return digits[..length].ToArray();
        }

        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(value!, type);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException)
        {
            throw new SessionEntryException(name, typeof(T), "cannot be written", (e as JsonException)?.Path, e);
        }
    }

    /// <summary>
    /// Whether nobody says otherwise how a number that may be missing is read, nor how one is that may not. Options that are not read-only yet are not asked,
    /// since they would work that out each time; the serializer makes them so.
    /// </summary>
    private static bool IsPlain(JsonTypeInfo type)
    {
        if (ReferenceEquals(type, _lastPlain))
        {
            return true;
        }

        if (!type.Options.IsReadOnly
            || type.Converter.GetType() != NullableInt32Converter
            || !type.Options.TryGetTypeInfo(typeof(int), out var number)
            || !ReferenceEquals(number.Converter, JsonMetadataServices.Int32Converter))
        {
            return false;
        }

        _lastPlain = type;
        return true;
    }

    private static bool WritesNumbersAsText(JsonTypeInfo type) =>
        (type.NumberHandling ?? type.Options.NumberHandling).HasFlag(JsonNumberHandling.WriteAsString);
}
