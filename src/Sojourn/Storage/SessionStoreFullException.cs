namespace Sojourn.Storage;

/// <summary>A bounded store has no place for another session: nothing was stored, and what is there is unchanged.</summary>
public sealed class SessionStoreFullException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="maxSessions">How many sessions the store holds at the most.</param>
    public SessionStoreFullException(long maxSessions)
        : base(
            $"The session store holds {maxSessions} sessions, which is its limit, and pruning frees no place. Raise the limit, shorten the idle timeout, or "
            + "use a store on disk.")
        => MaxSessions = maxSessions;

    /// <summary>How many sessions the store holds at the most.</summary>
    public long MaxSessions { get; }
}
