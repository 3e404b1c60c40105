namespace Sojourn.Races;

/// <summary>One of those who race: a request, in a process.</summary>
internal sealed class Actor(Race race, RaceVerb verb, int number, Process process)
{
    public Race Race => race;

    public RaceVerb Verb => verb;

    public int Number => number;

    public Process Process => process;

    /// <summary>The entry that this one alone writes.</summary>
    public string EntryName => $"written by {number}";

    /// <summary>What it was told.</summary>
    public Answer Answer { get; private set; } = new(RaceOutcome.Done, NewId: null, Handle: null);

    public bool IsDone => Answer.Outcome == RaceOutcome.Done;

    public Task RunAsync() => verb.Act(this);

    /// <summary>Does something to the session, as a request that brings its id.</summary>
    public async Task RequestAsync(Func<Session, ValueTask> handler) => Answer = await process.AnswerAsync(race.Id, handler);

    /// <summary>Does something to a session of its own, as a request that brings none.</summary>
    public async Task BeginAsync(Func<Session, ValueTask> handler) => Answer = await process.AnswerAsync(id: null, handler);

    /// <summary>Has the clock pass the deadline that the session had at the start.</summary>
    public async Task PassDeadlineAsync()
    {
        await Scheduler.StepAsync("the deadline passes");
        race.Clock.Advance(Race.PastDeadline);
    }
}

/// <summary>What a request was told.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="NewId">The id that its visitor has from now on; <see langword="null"/> when they keep theirs, or have none.</param>
/// <param name="Handle">The session's handle.</param>
internal sealed record Answer(RaceOutcome Outcome, string? NewId, string? Handle);

/// <summary>How it ended for an actor.</summary>
internal enum RaceOutcome
{
    /// <summary>It returned: what it did is acknowledged.</summary>
    Done,

    /// <summary>It was told that the session has ended.</summary>
    Ended,

    /// <summary>There was no session of the id when it asked.</summary>
    Stranger,
}
