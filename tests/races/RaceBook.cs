using System.Diagnostics;
using System.Globalization;

namespace Sojourn.Races;

/// <summary>
/// Every pair of verbs on one session, in as many schedules as are asked for. Pairs that have no more schedules than their share are run in all of them; the others
/// share what is left, drawn by number: schedule 17 of a pair is the same today and tomorrow.
/// </summary>
internal sealed class RaceBook(Course course)
{
    private const int Probes = 8;

    private readonly List<Page> _pages = [.. Pairs(course).Select(static (pair, number) => new Page(pair.One, pair.Other, number))];
    private readonly List<string> _failures = [];
    private string? _until;
    private int _run;
    private int _failed;

    private bool IsOver => _until is not null && _failures.Exists(failure => failure.Contains(_until, StringComparison.Ordinal));

    /// <summary>Runs the races as the environment asks for them: <c>SOJOURN_RACE</c> names one, <c>SOJOURN_RACES</c> says how many.</summary>
    /// <param name="schedules">How many, where nothing is asked for.</param>
    public Task<RaceReport> RunAsAskedAsync(int schedules) =>
        Environment.GetEnvironmentVariable("SOJOURN_RACE") is { Length: > 0 } named ? RunAsync(named)
        : RunAsync(int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACES"), NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : schedules);

    /// <summary>Runs one race again.</summary>
    /// <param name="race">As a report calls it: the verbs and the choices.</param>
    public async Task<RaceReport> RunAsync(string race)
    {
        var parts = race.Split(',');
        var page = _pages.Find(page => page.One.Name == parts[0] && page.Other.Name == parts[1]) ?? throw new ArgumentException($"There is no pair of the race {race}.", nameof(race));
        await RunAsync(page, Choices.Parse(parts[2]));
        return new RaceReport($"{race}: {(_failed == 0 ? "passed" : "failed")}", _failed, _failures);
    }

    /// <summary>Runs the races.</summary>
    /// <param name="schedules">How many.</param>
    /// <param name="until">Ends with the first that goes wrong in these words.</param>
    public async Task<RaceReport> RunAsync(int schedules, string? until = null)
    {
        var began = Stopwatch.GetTimestamp();
        _until = until;
        var share = schedules / _pages.Count;
        foreach (var page in _pages.TakeWhile(_ => !IsOver))
        {
            await BeginAsync(page, share);
        }

        var open = _pages.FindAll(page => !page.IsComplete);
        while (_run < schedules && open.Count > 0 && !IsOver)
        {
            foreach (var page in open.Take(schedules - _run))
            {
                await DrawAsync(page);
            }
        }

        var complete = _pages.FindAll(page => page.IsComplete);
        return new RaceReport(
            string.Create(CultureInfo.InvariantCulture, $"{_run} schedules of {_pages.Count} pairs in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, {_failed} failed")
            + (complete.Count == 0 ? "" : $"; in all that they have: {string.Join(", ", complete.Select(page => $"{page.One} and {page.Other} ({page.Run})"))}"),
            _failed,
            _failures);
    }

    private static IEnumerable<(RaceVerb One, RaceVerb Other)> Pairs(Course course)
    {
        // Where the database drops what has expired by itself there is nothing to prune.
        var verbs = RaceVerb.All.Where(verb => course.Prunes || !verb.Prunes).ToList();
        return verbs.SelectMany((one, number) => verbs.Skip(number).Select(other => (one, other)));
    }

    /// <summary>A few schedules tell about how many there are: as many as the choices on the way multiply to, on average.</summary>
    private async Task BeginAsync(Page page, int share)
    {
        var (probes, expected) = (Math.Min(Probes, share), 0.0);
        for (var i = 0; i < probes; i++)
        {
            expected += (await DrawAsync(page, changesOften: true)).Made.Aggregate(1.0, static (product, made) => product * made.Of) / probes;
        }

        if (share <= Probes || expected > 2 * share)
        {
            return;
        }

        var run = page.Run;
        for (IReadOnlyList<int>? next = []; next is not null;)
        {
            if (page.Run - run > 4 * share)
            {
                return;
            }

            var choices = new Choices(next);
            await RunAsync(page, choices);
            next = choices.Following();
        }

        (page.IsComplete, page.Run) = (true, page.Run - run);
    }

    private async Task<Choices> DrawAsync(Page page, bool changesOften = false)
    {
        var choices = Choices.Draw((1000 * page.Drawn++) + page.Number, changesOften);
        await RunAsync(page, choices);
        return choices;
    }

    private async Task RunAsync(Page page, Choices choices)
    {
        _run++;
        page.Run++;
        var race = new Race(course, page.One, page.Other, choices);
        if (await race.RunAsync() is not { Count: > 0 } wrong)
        {
            return;
        }

        _failed++;
        if (!page.HasFailed)
        {
            page.HasFailed = true;
            _failures.Add($"{string.Join(' ', wrong)}\n{race.Tell()}");
        }
    }

    /// <summary>One pair.</summary>
    private sealed class Page(RaceVerb one, RaceVerb other, int number)
    {
        public RaceVerb One => one;

        public RaceVerb Other => other;

        public int Number => number;

        public int Run { get; set; }

        /// <summary>How many schedules were drawn; the next one's number.</summary>
        public int Drawn { get; set; }

        /// <summary>Whether every schedule that there is was run.</summary>
        public bool IsComplete { get; set; }

        public bool HasFailed { get; set; }
    }
}

/// <summary>What a race book found.</summary>
/// <param name="Summary">What was run, in a line.</param>
/// <param name="Failed">How many schedules ended wrongly.</param>
/// <param name="Failures">The first of each pair, with how to see it again.</param>
internal sealed record RaceReport(string Summary, int Failed, IReadOnlyList<string> Failures)
{
    public override string ToString() => string.Join("\n\n", Failures.Prepend(Summary));
}
