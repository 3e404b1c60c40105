using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>
/// What an actor does to the session, and what may become of it thereby. A further verb is a further line here: what is checked follows from what it says of itself.
/// </summary>
internal sealed record RaceVerb(string Name, Func<Actor, Task> Act)
{
    public static readonly RaceVerb[] All =
    [
        new("write", actor => actor.RequestAsync(session =>
        {
            session.Set(actor.EntryName, actor.Number);
            session.Update<int>("count", static count => count + 1);
            return default;
        }))
        { Writes = true },
        new("touch", actor => actor.RequestAsync(static _ => default)),
        new("renew", actor => actor.RequestAsync(static session => session.RenewIdAsync())) { GivesNewId = true },
        new("sign in", actor => actor.RequestAsync(session => session.SignInAsync(actor.Race.Subject))) { GivesNewId = true, SignsIn = true },
        new("sign out", actor => actor.RequestAsync(static session => session.DestroyAsync(SessionEndReason.SignedOut, CancellationToken.None))) { Ends = SessionEndReason.SignedOut },
        new("destroy", actor => actor.RequestAsync(static session => session.DestroyAsync())) { Ends = SessionEndReason.Destroyed },
        new("expire", static async actor =>
        {
            await actor.PassDeadlineAsync();
            await actor.RequestAsync(static _ => default);
        })
        { PassesDeadline = true },
        new("evict", actor => actor.BeginAsync(session => session.SignInAsync(actor.Race.Subject))) { Ends = SessionEndReason.TooMany, BeginsAnother = true },
        new("prune", static async actor =>
        {
            await actor.PassDeadlineAsync();
            await actor.Process.Store.As<IExpiringStore>()!.PruneAsync(actor.Race.Clock.GetUtcNow(), CancellationToken.None);
        })
        { PassesDeadline = true, Prunes = true },
        new("migrate", static async actor =>
        {
            // As any request moves a session that is still in the old store.
            var (store, key) = (actor.Process.Store, actor.Process.Sessions.KeyOf(actor.Race.Id));
            if (await store.ReadAsync(key, CancellationToken.None) is { } record)
            {
                await store.TouchAsync(key, record, record.ExpiresAt, CancellationToken.None);
            }
        })
        { Migrates = true },
    ];

    /// <summary>Changes entries: the one of <see cref="Actor.EntryName"/>, and the count.</summary>
    public bool Writes { get; init; }

    /// <summary>The session has a new id when it returns.</summary>
    public bool GivesNewId { get; init; }

    /// <summary>The session belongs to the subject when it returns.</summary>
    public bool SignsIn { get; init; }

    /// <summary>The session is no more when it returns; for this reason.</summary>
    public SessionEndReason? Ends { get; init; }

    /// <summary>Signs the subject in to another session; theirs is one too many then.</summary>
    public bool BeginsAnother { get; init; }

    /// <summary>The clock passes the deadline that the session has at the start.</summary>
    public bool PassesDeadline { get; init; }

    /// <summary>Removes what has expired, of which nobody is told.</summary>
    public bool Prunes { get; init; }

    /// <summary>The session is in an old store at the start, and moves to the new one.</summary>
    public bool Migrates { get; init; }

    /// <summary>Whether another actor may find that the session has ended, or is not called so any more.</summary>
    public bool MayTakeAway => GivesNewId || Ends is not null || PassesDeadline;

    public override string ToString() => Name;
}

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

/// <summary>One of those who race: a request, in a process.</summary>
internal sealed class Actor(Race race, RaceVerb verb, int number, Process process)
{
    public Race Race => race;

    public RaceVerb Verb => verb;

    public int Number => number;

    public Process Process => process;

    public string EntryName => $"written by {number}";

    public RaceOutcome Outcome { get; private set; }

    /// <summary>What the request had at its end.</summary>
    public Session? Session { get; private set; }

    public bool IsDone => Outcome == RaceOutcome.Done;

    public async Task RunAsync()
    {
        try
        {
            await verb.Act(this);
        }
        catch (SessionEndedException)
        {
            Outcome = RaceOutcome.Ended;
        }
    }

    /// <summary>Loads the session, does something to it and saves it, as the middleware does.</summary>
    public async Task RequestAsync(Func<Session, ValueTask> handler)
    {
        Session = await process.Sessions.LoadAsync(race.Id);
        if (Session is null)
        {
            Outcome = RaceOutcome.Stranger;
            return;
        }

        await handler(Session);
        await process.Sessions.CommitAsync(Session);
    }

    /// <summary>Begins another session.</summary>
    public async Task BeginAsync(Func<Session, ValueTask> handler)
    {
        Session = process.Sessions.Create();
        await handler(Session);
        await process.Sessions.CommitAsync(Session);
    }

    public async Task PassDeadlineAsync()
    {
        await Scheduler.StepAsync("the deadline passes");
        race.Clock.Advance(Race.PastDeadline);
    }
}
