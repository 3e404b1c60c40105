using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;

namespace Sojourn.Races;

/// <summary>
/// One schedule: two actors, each with its verb, on one session. What is not a step is a choice, too: the mode, and whether somebody is signed in.
/// </summary>
internal sealed class Race(Course course, RaceVerb one, RaceVerb other, Choices choices)
{
    /// <summary>How many sessions a subject may have.</summary>
    public const int Limit = 1;

    public static readonly TimeSpan IdleTimeout = TimeSpan.FromMinutes(3);

    /// <summary>How old the session is at the start; its id is due then, where ids renew themselves.</summary>
    public static readonly TimeSpan Age = TimeSpan.FromMinutes(1);

    /// <summary>From there past the deadline that the session had at the start, and not past the one that a use gives it.</summary>
    public static readonly TimeSpan PastDeadline = IdleTimeout - (Age / 2);

    private IReadOnlyList<string> _trace = [];

    public Course Course => course;

    public FakeTimeProvider Clock => course.Clock;

    public string Subject { get; } = "ada " + RandomNumberGenerator.GetHexString(16, lowercase: true);

    /// <summary>The id that both begin with.</summary>
    public string Id { get; private set; } = "";

    public string Handle { get; private set; } = "";

    /// <summary>Whether the session is the subject's at the start.</summary>
    public bool IsSignedIn { get; private set; }

    public bool IsMigration => one.Migrates || other.Migrates;

    public Actor[] Actors { get; private set; } = [];

    /// <summary>How many steps each took.</summary>
    public int[] Steps { get; private set; } = [];

    /// <summary>Whether it did not come to its end: then nothing more can be run on its course.</summary>
    public bool StandsStill { get; private set; }

    /// <summary>A process to look at the outcome from.</summary>
    public Process Observer => Processes[0];

    /// <summary>Whether ids renew themselves.</summary>
    public bool RenewsIds => one.RenewsItself || other.RenewsItself;

    private IReadOnlyList<Process> Processes => course.Processes(IsMigration, RenewsIds);

    /// <summary>Runs it.</summary>
    /// <returns>What is wrong with the outcome; empty when nothing is.</returns>
    public async Task<IReadOnlyList<string>> RunAsync()
    {
        var (shareProcess, holdsAnswers) = Mode.Of(choices.Next(Mode.Count));
        IsSignedIn = !(one.SignsIn || other.SignsIn) || choices.Next(2) == 0;
        await BeginAsync();
        Actors = [new Actor(this, one, 1, Processes[0]), new Actor(this, other, 2, Processes[shareProcess ? 0 : 1])];
        using var scheduler = new Scheduler(choices, holdsAnswers, () => course.WaitingCommits);
        try
        {
            await scheduler.RunAsync([.. Actors.Select(actor => ($"{actor.Number} {actor.Verb.Name}", (Func<Task>)actor.RunAsync))]);
            return await new Outcome(this).JudgeAsync();
        }
        catch (Exception e)
        {
            StandsStill = e is TimeoutException;
            return [$"{e.GetType().Name}: {e.Message}"];
        }
        finally
        {
            (_trace, Steps) = (scheduler.Trace, scheduler.Steps);
            await CleanUpAsync();
        }
    }

    /// <summary>How to see it again, and how it went.</summary>
    public string Tell() => string.Create(CultureInfo.InvariantCulture, $"""
        SOJOURN_RACE="{one},{other},{choices}"  ({Mode.Tell(choices.Made[0].Choice)}, {(IsSignedIn ? "signed in" : "nobody signed in")})
          {string.Join("\n  ", _trace)}
          {string.Join(", ", Actors.Select(actor => $"{actor.Number} {actor.Verb}: {actor.Answer.Outcome}"))}
        """);

    private async Task BeginAsync()
    {
        course.Keys.Clear();
        Clock.Advance(TimeSpan.FromMinutes(10));
        var session = (IsMigration ? course.BeforeMigration : Processes[0]).Sessions.Create();
        session.Set("begun", true);
        if (IsSignedIn)
        {
            await session.SignInAsync(Subject);
        }
        else
        {
            await session.SaveAsync();
        }

        (Id, Handle) = (session.Id, session.Handle);
        Clock.Advance(Age);
        course.Events.Clear();
    }

    private async Task CleanUpAsync()
    {
        foreach (var key in course.Keys.All)
        {
            await course.Store.DeleteAsync(key, null, CancellationToken.None);
            await course.Old.DeleteAsync(key, null, CancellationToken.None);
        }
    }
}

/// <summary>
/// Whether the actors share a process, and whether they are held before they learn what a call did: then another may act in between, which counts most within a
/// process.
/// </summary>
internal static class Mode
{
    /// <summary>How many there are. Those that hold no answers come first.</summary>
    public const int Count = 2 * PlainCount;

    /// <summary>How many hold no answers.</summary>
    public const int PlainCount = 2;

    public static (bool SharesProcess, bool HoldsAnswers) Of(int mode) => (mode % 2 == 1, mode >= PlainCount);

    public static string Tell(int mode) => (Of(mode).SharesProcess ? "one process" : "two processes") + (Of(mode).HoldsAnswers ? ", answers held" : "");
}
