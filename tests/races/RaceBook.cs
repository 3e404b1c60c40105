using System.Diagnostics;
using System.Globalization;

namespace Sojourn.Races;

/// <summary>
/// Every pair of verbs on one session, in as many schedules as are asked for. Of pairs that take few steps every order is run; what is left is drawn by number:
/// schedule 17 of a pair is the same today and tomorrow.
/// </summary>
internal sealed class RaceBook(Course course)
{
    private readonly List<Page> _pages = [.. Pairs(course).Select(static (pair, number) => new Page(pair.One, pair.Other, number))];
    private readonly List<string> _failures = [];
    private string? _until;
    private int _run;
    private int _failed;
    private bool _standsStill;

    private bool IsOver => _standsStill || (_until is not null && _failures.Exists(failure => failure.Contains(_until, StringComparison.Ordinal)));

    /// <summary>Runs the races as the environment asks for them: <c>SOJOURN_RACE</c> names one, <c>SOJOURN_RACES</c> says how many.</summary>
    /// <param name="schedules">How many, where nothing is asked for.</param>
    public Task<RaceReport> RunAsAskedAsync(int schedules) =>
        Environment.GetEnvironmentVariable("SOJOURN_RACE") is { Length: > 0 } named ? RunAsync(named)
        : RunAsync(
            int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACES"), NumberStyles.None, CultureInfo.InvariantCulture, out var asked)
                ? asked
                : schedules);

    /// <summary>Runs one race again.</summary>
    /// <param name="race">As a report calls it: the verbs and the choices.</param>
    public async Task<RaceReport> RunAsync(string race)
    {
        var parts = race.Split(',');
        var page = _pages.Find(
            page => page.One.Name == parts[0] && page.Other.Name == parts[1]) ?? throw new ArgumentException($"There is no pair of the race {race}.",
            nameof(race));
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
        foreach (var page in _pages.TakeWhile(_ => !IsOver))
        {
            await MeasureAsync(page);
        }

        // As many pairs in full as half of the schedules allow, the others by drawing.
        foreach (var page in _pages.OrderBy(static page => page.Orders).ToList())
        {
            if (!IsOver && _run + page.Orders <= schedules / 2)
            {
                await RunInFullAsync(page);
            }
        }

        for (var round = 0; _run < schedules && !IsOver; round++)
        {
            // What was run in full lacks only the schedules that hold answers.
            foreach (var page in _pages.Where(page => !page.IsFull || round % 3 == 0).Take(schedules - _run).TakeWhile(_ => !IsOver))
            {
                await RunAsync(page, Choices.Draw((1000 * page.Drawn++) + page.Number, page.Lengths, page.IsFull));
            }
        }

        var full = _pages.FindAll(page => page.IsFull);
        return new RaceReport(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_run} schedules of {_pages.Count} pairs in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, {_failed} failed")
            + (full.Count == 0 ? "" : $"; every order of calls of {full.Count} pairs: "
            + $"{string.Join(", ", full.Select(page => $"{page.One} and {page.Other}"))}"),
            _failed,
            _failures);
    }

    private static IEnumerable<(RaceVerb One, RaceVerb Other)> Pairs(Course course)
    {
        // Where the database drops what has expired by itself there is nothing to prune.
        var verbs = RaceVerb.All.Where(verb => course.Prunes || !verb.Prunes).ToList();
        return verbs.SelectMany((one, number) => verbs.Skip(number).Select(other => (one, other)));
    }

    /// <summary>Runs the actors one after the other, either first: that tells how many steps they take.</summary>
    private async Task MeasureAsync(Page page)
    {
        var first = await RunAsync(page, new Choices([]));
        var second = await RunAsync(page, new Choices([0, .. Enumerable.Repeat(1, 200)]));
        page.Lengths = [Math.Max(first[0], second[0]), Math.Max(first[1], second[1])];
    }

    /// <summary>Runs every order of calls, in two processes and in one, unless they turn out to be far more than they seemed to be.</summary>
    private async Task RunInFullAsync(Page page)
    {
        var most = page.Run + (2 * page.Orders) + 50;
        for (IReadOnlyList<int>? next = []; next is not null && (next.Count == 0 || next[0] < Mode.PlainCount);)
        {
            if (page.Run > most || IsOver)
            {
                return;
            }

            var choices = new Choices(next);
            await RunAsync(page, choices);
            next = choices.Following();
        }

        page.IsFull = true;
    }

    /// <returns>How many steps each actor took.</returns>
    private async Task<int[]> RunAsync(Page page, Choices choices)
    {
        _run++;
        page.Run++;
        var race = new Race(course, page.One, page.Other, choices);
        if (await race.RunAsync() is not { Count: > 0 } wrong)
        {
            return race.Steps;
        }

        _failed++;
        _standsStill |= race.StandsStill;
        if (!page.HasFailed)
        {
            page.HasFailed = true;
            _failures.Add($"{string.Join(' ', wrong)}\n{race.Tell()}");
        }

        return race.Steps;
    }

    /// <summary>One pair.</summary>
    private sealed class Page(RaceVerb one, RaceVerb other, int number)
    {
        public RaceVerb One => one;

        public RaceVerb Other => other;

        public int Number => number;

        public int Run { get; set; }

        /// <summary>About how many steps each actor takes.</summary>
        public int[] Lengths { get; set; } = [0, 0];

        /// <summary>About how many schedules there are that hold no answers.</summary>
        public double Orders =>
            Mode.PlainCount * (One.SignsIn || Other.SignsIn ? 2 : 1) * Enumerable.Range(1, Lengths[0]).Aggregate(
                1.0, (orders, step) => orders * (Lengths[1] + step) / step);

        /// <summary>How many schedules were drawn; the next one's number.</summary>
        public int Drawn { get; set; }

        /// <summary>Whether every order of calls was run.</summary>
        public bool IsFull { get; set; }

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
