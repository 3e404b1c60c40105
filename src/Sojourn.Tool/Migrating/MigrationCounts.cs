namespace Sojourn.Tool.Migrating;

internal enum MigrationOutcome
{
    /// <summary>It was not there, and is now.</summary>
    Copied,

    /// <summary>An older copy was there, and this one is now.</summary>
    Replaced,

    /// <summary>One was there, and stays.</summary>
    Kept,

    /// <summary>It has expired, and stays behind.</summary>
    Expired,

    /// <summary>It was destroyed while it was copied.</summary>
    Ended,

    /// <summary>It is no session, and stays behind.</summary>
    Unreadable,

    /// <summary>It could not be copied.</summary>
    Failed,
}

/// <summary>How many records met which end. Thread-safe.</summary>
internal sealed class MigrationCounts
{
    private readonly long[] _counts = new long[Enum.GetValues<MigrationOutcome>().Length];

    public long this[MigrationOutcome outcome] => Interlocked.Read(ref _counts[(int)outcome]);

    public void Add(MigrationOutcome outcome, long number = 1) => Interlocked.Add(ref _counts[(int)outcome], number);

    public static IEnumerable<MigrationOutcome> Outcomes => Enum.GetValues<MigrationOutcome>();

    public static string NameOf(MigrationOutcome outcome) => outcome.ToString().ToLowerInvariant();
}
