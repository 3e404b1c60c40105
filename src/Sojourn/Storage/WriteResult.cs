namespace Sojourn.Storage;

/// <summary>How a conditional write ended.</summary>
public enum WriteOutcome
{
    /// <summary>It was written.</summary>
    Done,

    /// <summary>The record is there in another version; nothing was changed.</summary>
    Conflict,

    /// <summary>No record is there; nothing was changed.</summary>
    Gone,
}

/// <summary>The answer of a conditional write: the outcome, and a record where the store has one at hand.</summary>
public readonly record struct WriteResult
{
    private WriteResult(WriteOutcome outcome, SessionRecord? record)
    {
        Outcome = outcome;
        Record = record;
    }

    /// <summary>How it ended.</summary>
    public WriteOutcome Outcome { get; }

    /// <summary>
    /// After <see cref="WriteOutcome.Done"/> the record as it is stored now, after <see cref="WriteOutcome.Conflict"/> the fresh record;
    /// <see langword="null"/> where the store would have had to ask again for it.
    /// </summary>
    public SessionRecord? Record { get; }

    /// <summary>No record was there.</summary>
    public static WriteResult Gone => new(WriteOutcome.Gone, null);

    /// <summary>It was written.</summary>
    /// <param name="stored">The record as it is stored now, where known.</param>
    public static WriteResult Done(SessionRecord? stored = null) => new(WriteOutcome.Done, stored);

    /// <summary>The record is there in another version.</summary>
    /// <param name="fresh">The record as it is stored now, where known.</param>
    public static WriteResult Conflict(SessionRecord? fresh = null) => new(WriteOutcome.Conflict, fresh);
}
