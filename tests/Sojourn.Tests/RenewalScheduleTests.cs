using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Races;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>
/// Three at once on a session whose id is due: one looks, one writes, and one does what the row says; a step of the store at a time, as schedules say.
/// </summary>
public sealed class RenewalScheduleTests(ITestOutputHelper output)
{
    private const string Old = "old";

    private static readonly int Schedules = int.TryParse(
        Environment.GetEnvironmentVariable("SOJOURN_RACES"), NumberStyles.None, CultureInfo.InvariantCulture, out var asked)
        ? asked
        : 150;

    /// <summary>How many steps each of the three takes, about.</summary>
    private static readonly int[] StepsAbout = [8, 8, 10];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private enum Verb
    {
        Look,
        Write,
        Reload,
        Renew,
        SignIn,
        Destroy,
        End,
        EndEverything,
    }

    [Theory]
    [InlineData("Look")]
    [InlineData("Write")]
    [InlineData("Reload")]
    [InlineData("Renew")]
    [InlineData("SignIn")]
    [InlineData("Destroy")]
    [InlineData("End")]
    [InlineData("EndEverything")]
    public async Task A7_A10_A29_No_schedule_loses_work_leaves_two_sessions_or_lets_an_id_live_that_is_dead(string verb)
    {
        var most = 0;
        for (var seed = 0; seed < Schedules; seed++)
        {
            var race = new Race(Enum.Parse<Verb>(verb), Choices.Draw(seed, StepsAbout, holdsAnswers: false), holdsAnswers: seed % 2 == 1);
            var wrong = await Task.Run(race.RunAsync, Token);
            most = Math.Max(most, race.Trace.Count);
            Assert.True(wrong.Count == 0, $"Schedule {seed}: {string.Join(' ', wrong)}\n{string.Join('\n', race.Trace)}");
        }

        output.WriteLine($"{Schedules} schedules, of up to {most} steps");
    }

    private sealed class Race(Verb verb, Choices choices, bool holdsAnswers)
    {
        private static readonly TimeSpan After = TimeSpan.FromMinutes(15);

        private readonly FakeTimeProvider _time = Engine.NewClock();
        private readonly KeyNames _keys = new();
        private readonly RaceEvents _events = new();
        private readonly List<string> _wrong = [];
        private readonly Dictionary<int, string?> _answers = [];
        private string _id = "";
        private string _handle = "";

        public IReadOnlyList<string> Trace { get; private set; } = [];

        public async Task<IReadOnlyList<string>> RunAsync()
        {
            var store = new MemorySessionStore(timeProvider: _time);
            Engine[] processes = [NewProcess(store), NewProcess(store)];
            await BeginAsync(processes[0]);
            using var scheduler = new Scheduler(choices, holdsAnswers, () => processes.Sum(process => process.Sessions.WaitingCommits));
            (string, Func<Task>)[] actors = [.. new[] { Verb.Look, Verb.Write, verb }.Select((each, number) =>
            {
                var process = processes[number == 0 ? 0 : choices.Next(2)];
                return ($"{number} {each}", (Func<Task>)(() => ActAsync(process, each, number)));
            })];
            try
            {
                await scheduler.RunAsync(actors);
            }
            finally
            {
                Trace = scheduler.Trace;
            }

            await JudgeAsync(processes[0], store);
            return _wrong;
        }

        private Engine NewProcess(MemorySessionStore store) => new(
            new SteppedStore(store, _keys),
            _time,
            static o => (o.Secrets, o.RenewIdAfter, o.IdleTimeout, o.StoreTimeout) = (["secret"], After, TimeSpan.FromDays(1), TimeSpan.FromHours(1)),
            _events);

        private async Task BeginAsync(Engine process)
        {
            var session = process.Sessions.Create(new Visit(_time));
            session.Set("count", 0);
            await process.Sessions.CommitAsync(session, Token);
            (_id, _handle) = (session.KnownId, session.KnownHandle!);
            _time.Advance(After);
            _events.Clear();
        }

        /// <summary>Answers with the id that its visitor has from then on; <see langword="null"/> when it found no session, or none any more.</summary>
        private async Task ActAsync(Engine process, Verb what, int number)
        {
            var answer = Old;
            if (what == Verb.End)
            {
                await process.Administration.EndAsync(new SessionFilter { Handle = _handle }, cancellationToken: Token);
            }
            else if (what == Verb.EndEverything)
            {
                await process.Administration.EndEverythingAsync(cancellationToken: Token);
            }
            else
            {
                answer = await RequestAsync(process, what, number);
            }

            lock (_answers) _answers[number] = answer;
        }

        private async Task<string?> RequestAsync(Engine process, Verb what, int number)
        {
            var sessions = process.Sessions;
            if (await sessions.LoadAsync(_id, sessions.KeyOf(_id), new Visit(_time), isCopyEnough: true, Token) is not { } session)
            {
                return null;
            }

            try
            {
                switch (what)
                {
                    case Verb.Write:
                        session.Set($"writer{number}", true);
                        session.Update<int>("count", static count => count + 1);
                        break;
                    case Verb.Reload:
                        await session.ReloadAsync(Token);
                        break;
                    case Verb.Renew:
                        await session.RenewIdAsync(Token);
                        break;
                    case Verb.SignIn:
                        await session.SignInAsync("ada", cancellationToken: Token);
                        break;
                    case Verb.Destroy:
                        await session.DestroyAsync(Token);
                        break;
                }

                await sessions.CommitAsync(session, Token);
            }
            catch (SessionEndedException)
            {
                return null;
            }

            return session.State == SessionState.Ended ? null : session.KnownId;
        }

        private async Task JudgeAsync(Engine process, MemorySessionStore store)
        {
            var alive = new List<string>();
            foreach (var key in _keys.All)
            {
                if (await store.ReadAsync(key, Token) is { } record && process.Sessions.Finder.DescribeLive(key, record) is not null)
                {
                    alive.Add(key);
                }
            }

            var givesNewId = verb is Verb.Renew or Verb.SignIn;
            var ends = verb is Verb.Destroy or Verb.End or Verb.EndEverything;
            if (ends)
            {
                Require(alive.Count == 0, "The session was ended, and lives.");
                Require(_events.Count(static told => told.Kind == SessionEventKind.Ended) == 1, "The end was not told once.");
                foreach (var id in _answers.Values.OfType<string>().Where(static id => id != Old).Append(_id).Distinct())
                {
                    Require(await FindAsync(process, id) is null, "The id of a session that has ended answers.");
                }

                return;
            }

            Require(alive.Count == 1, $"There are {alive.Count} sessions.");
            Require(_events.Count(static told => told.Kind is SessionEventKind.Ended or SessionEventKind.Expired) == 0, "An end was told of.");
            Require(_answers[2] is not null, "The one that the row is about was told that the session has ended.");
            Require(givesNewId || !_answers.ContainsValue(null), "A request was signed out.");
            if (_wrong.Count > 0)
            {
                return;
            }

            var newest = _answers[2]!;
            Require(alive[0] == process.Sessions.KeyOf(newest), "The session lives under an id that no cookie holds.");
            foreach (var (number, id) in _answers)
            {
                Require(id is null || id == newest || (givesNewId && await FindAsync(process, id) is null), $"Visitor {number} has an id beside the newest.");
            }

            var session = await FindAsync(process, newest);
            Require(newest != _id, "The id is as old as before.");
            Require((await FindAsync(process, _id) is not null) == !givesNewId, "The old id finds what it is not to find, or does not find what it is to.");
            var writers = new[] { 1, 2 }.Where(number => number == 1 || verb == Verb.Write).ToList();
            Require(
                session?.Get<int>("count") == writers.Count(number => _answers[number] is not null),
                "An acknowledged change is lost, or one is there that was refused.");
            Require(
                writers.TrueForAll(number => session?.Contains($"writer{number}") == (_answers[number] is not null)),
                "An entry is lost, or one is there that was refused.");
            _time.Advance(After);
            Require(await FindAsync(process, _id) is null, "The old id answers after its time.");
        }

        private ValueTask<Session?> FindAsync(Engine process, string id) =>
            process.Sessions.LoadAsync(id, process.Sessions.KeyOf(id), new Visit(_time), isCopyEnough: true, Token);

        private void Require(bool condition, string otherwise)
        {
            if (!condition)
            {
                _wrong.Add(otherwise);
            }
        }
    }
}
