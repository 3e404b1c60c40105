using System.Text.Json;

namespace Sojourn.Document;

/// <summary>Who acts as the session's subject, and what was theirs in the session and waits for them: their sign-in and their entries.</summary>
internal sealed record SessionActor(string Subject)
{
    public DateTimeOffset? SignedInAt { get; init; }

    public string[] Labels { get; init; } = [];

    public ReadOnlyMemory<byte> Ticket { get; init; }

    /// <summary>Their entries, as one JSON object.</summary>
    public ReadOnlyMemory<byte> Entries { get; init; }

    public static bool TryParse(ReadOnlyMemory<byte> utf8, out SessionActor? actor)
    {
        var members = new MemberReader(utf8);
        string? subject = null;
        DateTimeOffset? signedIn = null;
        string[] labels = [];
        ReadOnlyMemory<byte> ticket = default, entries = default;
        actor = null;
        while (members.MoveNext())
        {
            var isKnown =
                members.Is("subject"u8) ? members.TryReadText(out subject)
                : members.Is("signedIn"u8) ? members.TryReadTime(out signedIn)
                : members.Is("labels"u8) ? members.TryReadTexts(out labels)
                : members.Is("ticket"u8) ? members.TryReadObject(out ticket)
                : members.Is("entries"u8) && members.TryReadObject(out entries);
            if (!isKnown)
            {
                // Whoever acts must not be taken for somebody else: nothing is guessed here.
                return false;
            }
        }

        actor = subject is null ? null : new SessionActor(subject) { SignedInAt = signedIn, Labels = labels, Ticket = ticket, Entries = entries };
        return actor is not null;
    }

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("actor"u8);
        JsonText.WriteText(writer, "subject"u8, Subject);
        JsonText.WriteTime(writer, "signedIn"u8, SignedInAt);
        JsonText.WriteTexts(writer, "labels"u8, Labels);
        JsonText.WriteRaw(writer, "ticket"u8, Ticket);
        JsonText.WriteRaw(writer, "entries"u8, Entries);
        writer.WriteEndObject();
    }
}
