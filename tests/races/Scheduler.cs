using System.Diagnostics;

namespace Sojourn.Races;

/// <summary>
/// Lets actors take one step at a time. An actor is held before every call of a store; which of those that are held goes on, the schedule chooses. Nobody takes
/// a step before the one before it has come to rest, so the same choices make the same race.
/// </summary>
/// <param name="choices">The schedule.</param>
/// <param name="holdsAnswers">Whether an actor is held a second time, when the call has been done and it has yet to learn of it.</param>
/// <param name="waiting">How many actors wait in the engine for another one, which nobody but that one can end.</param>
internal sealed class Scheduler(Choices choices, bool holdsAnswers, Func<int> waiting) : IDisposable
{
    /// <summary>An actor that asks again and again for what another has yet to do lets it, after so many steps.</summary>
    private const int MaxStepsInARow = 60;

    /// <summary>Far more than any race takes. By a clock that stands still nobody who asks again and again gives up.</summary>
    private const int MaxSteps = 5_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly AsyncLocal<Runner?> Current = new();

    private readonly Lock _sync = new();
    private readonly SemaphoreSlim _moved = new(0);
    private readonly List<Runner> _runners = [];
    private readonly List<string> _trace = [];
    private Runner? _last;
    private int _inARow;

    /// <summary>The steps that were taken.</summary>
    public IReadOnlyList<string> Trace => _trace;

    /// <summary>How many each actor took.</summary>
    public int[] Steps => [.. _runners.Select(runner => runner.Steps)];

    /// <summary>Takes part in the schedule with a call; outside a race the call is just made.</summary>
    /// <param name="name">What the trace calls it.</param>
    /// <param name="call">The call.</param>
    /// <param name="tell">What the trace calls its answer.</param>
    public static ValueTask<T> CallAsync<T>(string name, Func<ValueTask<T>> call, Func<T, string> tell) =>
        Current.Value is { } runner ? runner.Scheduler.CallAsync(runner, name, call, tell) : call();

    /// <summary>Waits until the schedule has the actor take a step that is no call of a store.</summary>
    public static Task StepAsync(string name)
    {
        var runner = Current.Value!;
        return runner.Scheduler.HoldAsync(runner, runner.NextCall(), name, isCall: false);
    }

    /// <summary>Leaves to the schedule what the actor finds; outside a race it is the first.</summary>
    public static int Choose(int of) => Current.Value is { } runner ? runner.Scheduler.Chosen(of) : 0;

    /// <summary>What lets work that is done elsewhere for the actor, as by a server, count as its own: see <see cref="Continue"/>.</summary>
    public static object? Place => Current.Value;

    /// <summary>From here on the caller's work is that of the actor whose <see cref="Place"/> it was.</summary>
    public static void Continue(object? place) => Current.Value = (Runner?)place;

    /// <summary>Runs the actors to their ends.</summary>
    /// <exception cref="TimeoutException">They stood still: none was held, and not all were through; or they came to no end.</exception>
    public async Task RunAsync(params (string Name, Func<Task> Act)[] actors)
    {
        _runners.AddRange(actors.Select((actor, number) => new Runner(this, number, actor.Name)));
        for (var i = 0; i < actors.Length; i++)
        {
            _runners[i].HasBegun = true;
            _ = ActAsync(_runners[i], actors[i].Act);
            await RestAsync();
        }

        for (var steps = 0; Take() is { } step; steps++)
        {
            if (steps == MaxSteps)
            {
                throw new TimeoutException("The race comes to no end.");
            }

            step.Go();
            await RestAsync();
        }

        foreach (var runner in _runners)
        {
            await runner.Ended;
        }
    }

    public void Dispose() => _moved.Dispose();

    private int Chosen(int of)
    {
        var choice = choices.Next(of);
        _trace.Add($"chosen: {choice} of {of}");
        return choice;
    }

    private async Task ActAsync(Runner runner, Func<Task> act)
    {
        // Flows into all that the actor calls, and from there into no other.
        Current.Value = runner;
        try
        {
            await act();
            runner.End(null);
        }
        catch (Exception e)
        {
            runner.End(e);
        }
        finally
        {
            _moved.Release();
        }
    }

    private async ValueTask<T> CallAsync<T>(Runner runner, string name, Func<ValueTask<T>> call, Func<T, string> tell)
    {
        var number = runner.NextCall();
        await HoldAsync(runner, number, name, isCall: true);
        try
        {
            var answer = await call();
            await AnswerAsync(runner, number, $"  {name}: {tell(answer)}");
            return answer;
        }
        catch (Exception e)
        {
            await AnswerAsync(runner, number, $"  {name}: {e.GetType().Name}");
            throw;
        }
    }

    private Task AnswerAsync(Runner runner, int number, string name)
    {
        lock (_sync)
        {
            runner.InStore--;
            if (holdsAnswers)
            {
                return HoldAsync(runner, number, name, isCall: false);
            }

            _trace.Add($"{runner.Name}: {name}");
        }

        _moved.Release();
        return Task.CompletedTask;
    }

    private Task HoldAsync(Runner runner, int number, string name, bool isCall)
    {
        var step = new Step(name, isCall);
        lock (_sync)
        {
            runner.Held.Add(number, step);
        }

        _moved.Release();
        return step.Going;
    }

    /// <summary>The step that is next; <see langword="null"/> when all are through.</summary>
    private Step? Take()
    {
        lock (_sync)
        {
            var ready = _runners.FindAll(runner => runner.Held.Count > 0);
            if (ready.Count == 0)
            {
                return null;
            }

            var last = _last is null ? -1 : ready.IndexOf(_last);
            if (last >= 0 && ready.Count > 1 && _inARow >= MaxStepsInARow)
            {
                ready.RemoveAt(last);
                last = -1;
            }

            var runner = ready.Count == 1 ? ready[0] : ready[choices.NextActor(ready.ConvertAll(static runner => (runner.Number, runner.Steps)), last)];
            runner.Steps++;
            _inARow = runner == _last ? _inARow + 1 : 1;
            _last = runner;

            // Of calls that it made side by side, the earliest: when exactly the later ones arrived makes no difference then.
            var (number, step) = runner.Held.First();
            runner.Held.Remove(number);
            runner.InStore += step.IsCall ? 1 : 0;
            _trace.Add($"{runner.Name}: {step.Name}");
            return step;
        }
    }

    /// <summary>Waits until every actor is held, through, or waits in the engine for another one.</summary>
    private async Task RestAsync()
    {
        var began = Stopwatch.GetTimestamp();
        for (var spin = default(SpinWait); !IsAtRest();)
        {
            if (!spin.NextSpinWillYield)
            {
                spin.SpinOnce();
                continue;
            }

            // Whoever begins to wait in the engine does not tell: so it is looked at again now and then.
            await _moved.WaitAsync(TimeSpan.FromMilliseconds(1));
            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException("The race stands still.");
            }
        }
    }

    private bool IsAtRest()
    {
        lock (_sync)
        {
            var moving = 0;
            foreach (var runner in _runners)
            {
                if (runner.InStore > 0)
                {
                    return false;
                }

                moving += runner.Held.Count == 0 && runner.HasBegun && !runner.Ended.IsCompleted ? 1 : 0;
            }

            return moving == 0 || (moving == waiting() && moving < _runners.Count(runner => !runner.Ended.IsCompleted));
        }
    }

    private sealed class Runner(Scheduler scheduler, int number, string name)
    {
        private readonly TaskCompletionSource _ended = new();
        private int _calls;

        public Scheduler Scheduler => scheduler;

        public int Number => number;

        public string Name => name;

        public int Steps { get; set; }

        public bool HasBegun { get; set; }

        /// <summary>The steps it waits to take, by the number of the call: several, where it makes calls side by side.</summary>
        public SortedList<int, Step> Held { get; } = [];

        /// <summary>How many of its calls are with the store.</summary>
        public int InStore { get; set; }

        public Task Ended => _ended.Task;

        public int NextCall() => Interlocked.Increment(ref _calls);

        public void End(Exception? e)
        {
            if (e is null)
            {
                _ended.TrySetResult();
            }
            else
            {
                _ended.TrySetException(e);
            }
        }
    }

    private sealed class Step(string name, bool isCall)
    {
        // What waits for it runs on the thread that lets it go, so that most steps are at rest as soon as they were let go.
        private readonly TaskCompletionSource _going = new();

        public string Name => name;

        public bool IsCall => isCall;

        public Task Going => _going.Task;

        public void Go() => _going.SetResult();
    }
}
