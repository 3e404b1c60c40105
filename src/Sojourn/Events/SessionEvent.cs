namespace Sojourn.Events;

/// <summary>What happened to a session.</summary>
public enum SessionEventKind
{
    /// <summary>It was stored for the first time.</summary>
    Created,

    /// <summary>It has a new id.</summary>
    Renewed,

    /// <summary>A user signed in to it.</summary>
    SignedIn,

    /// <summary>It was destroyed or ended; <see cref="SessionEvent.Reason"/> tells why.</summary>
    Ended,

    /// <summary>It was found past its deadline, when it was asked for. One that nobody asks for again is removed unseen.</summary>
    Expired,

    /// <summary>Something was tried that an honest visitor does not do; <see cref="SessionEvent.Suspicion"/> tells what.</summary>
    Suspicious,

    /// <summary>An operator looked at the values of its entries; <see cref="SessionEvent.By"/> tells who.</summary>
    Inspected,
}

/// <summary>Why a session ended.</summary>
public enum SessionEndReason
{
    /// <summary>Its own request destroyed it.</summary>
    Destroyed,

    /// <summary>Its user signed out of it.</summary>
    SignedOut,

    /// <summary>Its user ended it from another session.</summary>
    ByUser,

    /// <summary>An operator ended it.</summary>
    ByOperator,

    /// <summary>Its user signed in elsewhere, and had as many sessions as they may have.</summary>
    TooMany,

    /// <summary>The user's password or other credentials changed.</summary>
    CredentialsChanged,

    /// <summary>The identity provider ended it.</summary>
    ByProvider,

    /// <summary>An id of it came back that had been renewed, and was dead; see <see cref="SojournOptions.EndOnDeadId"/>.</summary>
    DeadId,
}

/// <summary>What was tried.</summary>
public enum SessionSuspicion
{
    /// <summary>A token that was signed here, of a session that is not there: it ended, or somebody knows the secret.</summary>
    UnknownId,

    /// <summary>Several tokens that verify for different sessions came with one request.</summary>
    AmbiguousTokens,

    /// <summary>The stored session is not readable: damaged, altered, or moved to a place where it does not belong.</summary>
    UnreadableDocument,

    /// <summary>
    /// An id that was renewed and is past its time (<see cref="SojournOptions.RenewIdAfter"/>): two clients share the session, one of them a thief perhaps; or
    /// the one that it was renewed for never got the answer.
    /// </summary>
    DeadId,

    /// <summary>A session that is bound to a device was used without that device's proof, as a copied cookie is; or a proof was sent that is none.</summary>
    UnboundUse,
}

/// <summary>One thing that happened to a session. Holds nothing that can be replayed.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="At">When.</param>
public sealed record SessionEvent(SessionEventKind Kind, DateTimeOffset At)
{
    /// <summary>The session's public name, the same throughout its life; <see langword="null"/> where it has none or is not known.</summary>
    public string? Handle { get; init; }

    /// <summary>Whom the session belongs to; <see langword="null"/> when nobody is signed in, or it is not known.</summary>
    public string? Subject { get; init; }

    /// <summary>Why it ended; with <see cref="SessionEventKind.Ended"/> alone.</summary>
    public SessionEndReason? Reason { get; init; }

    /// <summary>What was tried; with <see cref="SessionEventKind.Suspicious"/> alone.</summary>
    public SessionSuspicion? Suspicion { get; init; }

    /// <summary>Which operator looked at it; with <see cref="SessionEventKind.Inspected"/> alone, and <see langword="null"/> where they have no name.</summary>
    public string? By { get; init; }
}
