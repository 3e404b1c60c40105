namespace Sojourn.Document;

/// <summary>What Sojourn adds to the document under <c>$sojourn</c>. Immutable; written only once one of its members is used.</summary>
internal sealed record SessionMetadata
{
    public static readonly SessionMetadata None = new();

    /// <summary>Ticks in UTC, 0 for none: every request has one of these objects, and half of its size were times.</summary>
    private readonly long _createdAt;
    private readonly long _absoluteExpiresAt;
    private readonly long _signedInAt;
    private readonly long _idSince;
    private readonly long _idleTimeout;

    public string? Handle { get; init; }

    public DateTimeOffset? CreatedAt
    {
        get => Time(_createdAt);
        init => _createdAt = Ticks(value);
    }

    public DateTimeOffset? AbsoluteExpiresAt
    {
        get => Time(_absoluteExpiresAt);
        init => _absoluteExpiresAt = Ticks(value);
    }

    public string? Subject { get; init; }

    public DateTimeOffset? SignedInAt
    {
        get => Time(_signedInAt);
        init => _signedInAt = Ticks(value);
    }

    /// <summary>How long this session lives without use, where its sign-in said so.</summary>
    public TimeSpan? IdleTimeout
    {
        get => _idleTimeout == 0 ? null : TimeSpan.FromTicks(_idleTimeout);
        init => _idleTimeout = value?.Ticks ?? 0;
    }

    /// <summary>Since when the session has its id, where that was renewed and ids renew themselves; else since its sign-in, or since it was made.</summary>
    public DateTimeOffset? IdSince
    {
        get => Time(_idSince == 0 ? Math.Max(_createdAt, _signedInAt) : _idSince);
        init => _idSince = Ticks(value);
    }

    /// <summary>What the session is found by besides its subject and its handle, such as <c>sid:…</c> of an OpenID provider.</summary>
    public string[] Labels { get; init; } = [];

    public SessionDevice? Device { get; init; }

    /// <summary>What the authentication scheme keeps of the user: JSON that the engine does not look into.</summary>
    public ReadOnlyMemory<byte> Ticket { get; init; }

    /// <summary>Who acts as the subject, and what they come back to.</summary>
    public SessionActor? Actor { get; init; }

    /// <summary>The device that the session is bound to.</summary>
    public SessionBinding? Binding { get; init; }

    /// <summary>Members of a later version of Sojourn, as they stand in the JSON: kept.</summary>
    private (string Name, ReadOnlyMemory<byte> Value)[] Unknown { get; init; } = [];

    /// <summary>Whether it holds on to the bytes that it was read from.</summary>
    public bool HasSlices => !Ticket.IsEmpty || Actor is not null || Unknown.Length > 0;

    /// <summary>Reads the member; <see langword="null"/> when it is of a format that this version does not know.</summary>
    public static SessionMetadata? Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return None;
        }

        try
        {
            return ParseObject(utf8);
        }
        catch (InvalidOperationException)
        {
            // A name with half of a surrogate pair is no name.
            return null;
        }
    }

    private static SessionMetadata? ParseObject(ReadOnlyMemory<byte> utf8)
    {
        var members = new MemberReader(utf8);
        string? handle = null, subject = null;
        DateTimeOffset? created = null, absolute = null, signedIn = null, idSince = null;
        TimeSpan? idle = null;
        string[] labels = [];
        SessionDevice? device = null;
        SessionActor? actor = null;
        SessionBinding? binding = null;
        ReadOnlyMemory<byte> ticket = default;
        List<(string, ReadOnlyMemory<byte>)>? unknown = null;
        while (members.MoveNext())
        {
            var isKnown =
                members.Is("created"u8) ? members.TryReadTime(out created)
                : members.Is("absolute"u8) ? members.TryReadTime(out absolute)
                : members.Is("handle"u8) ? members.TryReadText(out handle)
                : members.Is("subject"u8) ? members.TryReadText(out subject)
                : members.Is("signedIn"u8) ? members.TryReadTime(out signedIn)
                : members.Is("idSince"u8) ? members.TryReadTime(out idSince)
                : members.Is("idle"u8) ? members.TryReadSeconds(out idle)
                : members.Is("labels"u8) ? members.TryReadTexts(out labels)
                : members.Is("device"u8) ? SessionDevice.TryParse(members.ReadRaw(), out device)
                : members.Is("ticket"u8) ? members.TryReadObject(out ticket)
                : members.Is("actor"u8) ? SessionActor.TryParse(members.ReadRaw(), out actor)
                : members.Is("binding"u8) ? SessionBinding.TryParse(members.ReadRaw(), out binding)
                : Keep(ref members, ref unknown);
            if (!isKnown)
            {
                return null;
            }
        }

        return !members.IsObject ? null : new SessionMetadata
        {
            Handle = handle,
            CreatedAt = created,
            AbsoluteExpiresAt = absolute,
            Subject = subject,
            SignedInAt = signedIn,
            IdSince = idSince,
            IdleTimeout = idle,
            Labels = labels,
            Device = device,
            Ticket = ticket,
            Actor = actor,
            Binding = binding,
            Unknown = unknown is null ? [] : [.. unknown],
        };
    }

    public byte[] ToUtf8() => JsonText.Write(this, static (writer, metadata) =>
    {
        writer.WriteStartObject();
        JsonText.WriteText(writer, "handle"u8, metadata.Handle);
        JsonText.WriteTime(writer, "created"u8, metadata.CreatedAt);
        JsonText.WriteTime(writer, "absolute"u8, metadata.AbsoluteExpiresAt);
        JsonText.WriteText(writer, "subject"u8, metadata.Subject);
        JsonText.WriteTime(writer, "signedIn"u8, metadata.SignedInAt);
        JsonText.WriteTime(writer, "idSince"u8, Time(metadata._idSince));
        if (metadata.IdleTimeout is { } idle)
        {
            writer.WriteNumber("idle"u8, (long)idle.TotalSeconds);
        }

        JsonText.WriteTexts(writer, "labels"u8, metadata.Labels);
        metadata.Device?.Write(writer);
        JsonText.WriteRaw(writer, "ticket"u8, metadata.Ticket);
        metadata.Actor?.Write(writer);
        metadata.Binding?.Write(writer);
        foreach (var (name, value) in metadata.Unknown)
        {
            writer.WritePropertyName(name);
            writer.WriteRawValue(value.Span, skipInputValidation: true);
        }

        writer.WriteEndObject();
    });

    private static DateTimeOffset? Time(long ticks) => ticks == 0 ? null : new(ticks, TimeSpan.Zero);

    private static long Ticks(DateTimeOffset? time) => time?.UtcTicks ?? 0;

    private static bool Keep(ref MemberReader members, ref List<(string, ReadOnlyMemory<byte>)>? unknown)
    {
        (unknown ??= []).Add((members.Name, members.ReadRaw()));
        return true;
    }
}
