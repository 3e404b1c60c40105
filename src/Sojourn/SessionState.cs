namespace Sojourn;

/// <summary>Where a session is in its life.</summary>
internal enum SessionState : byte
{
    Live,

    /// <summary>Forgotten by its own request; see <see cref="SojournOptions.Unset"/>.</summary>
    Unset,

    /// <summary>Destroyed by its own request.</summary>
    Destroyed,

    /// <summary>Found to be gone: destroyed, ended or renewed by somebody else.</summary>
    Ended,
}
