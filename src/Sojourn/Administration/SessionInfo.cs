namespace Sojourn.Administration;

/// <summary>What a list shows of a session. Nothing in it can be replayed.</summary>
public sealed record SessionInfo
{
    /// <summary>The session's public name, by which it can be ended; <see langword="null"/> when it has none yet, as anonymous sessions.</summary>
    public string? Handle { get; init; }

    /// <summary>Whom it belongs to; <see langword="null"/> when nobody is signed in.</summary>
    public string? Subject { get; init; }

    /// <summary>Who acts as the subject; <see langword="null"/> when they are themselves.</summary>
    public string? Impersonator { get; init; }

    /// <summary>When it was made; <see langword="null"/> where a Node application made it, which does not say.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When the subject last proved who they are.</summary>
    public DateTimeOffset? SignedInAt { get; init; }

    /// <summary>When it was last used, to within the touch interval.</summary>
    public DateTimeOffset LastSeenAt { get; init; }

    /// <summary>When it ends unless it is used before.</summary>
    public DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When it ends whatever its use; <see langword="null"/> when it has no such deadline.</summary>
    public DateTimeOffset? AbsoluteExpiresAt { get; init; }

    /// <summary>The device that it was signed in on, as far as the application keeps it.</summary>
    public SessionDevice? Device { get; init; }

    /// <summary>Whether it is bound to that device: its cookies open nothing elsewhere for longer than some minutes.</summary>
    public bool IsDeviceBound { get; init; }

    /// <summary>Whether it is the session that asked.</summary>
    public bool IsCurrent { get; init; }

    /// <summary>The names of its entries, in the order in which they were first set.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>The size of its document, in bytes.</summary>
    public int Bytes { get; init; }
}
