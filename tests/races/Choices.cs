namespace Sojourn.Races;

/// <summary>
/// What a schedule decides, in the order in which it was asked: first as it was given, then at random, or always the first of what there is. The same choices
/// make the same schedule. They are written as digits.
/// </summary>
internal sealed class Choices
{
    private readonly IReadOnlyList<int> _given;
    private readonly Random? _random;
    private readonly int[] _lengths = [];
    private readonly HashSet<int>? _changes;
    private int _steps;

    /// <param name="given">The first choices; every later one is the first of what there is.</param>
    public Choices(IReadOnlyList<int> given) => _given = given;

    private Choices(IReadOnlyList<int> given, Random random, int[] lengths, HashSet<int>? changes) =>
        (_given, _random, _lengths, _changes) = (given, random, lengths, changes);

    /// <summary>What was chosen, and of how many.</summary>
    public List<(int Choice, int Of)> Made { get; } = [];

    public static Choices Parse(string digits) => new([.. digits.Select(static digit => digit - '0')]);

    /// <summary>
    /// Draws them. In one half of all schedules every order of the steps is as likely as another; in the other half actors change once to three times, which
    /// finds what goes wrong when one stands still while another does much.
    /// </summary>
    /// <param name="seed">The same seed gives the same choices.</param>
    /// <param name="lengths">About how many steps each actor takes.</param>
    /// <param name="holdsAnswers">Whether answers are held in any case.</param>
    public static Choices Draw(int seed, int[] lengths, bool holdsAnswers)
    {
        var random = new Random(seed);
        HashSet<int>? changes = random.Next(2) == 0 ? null : [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => 1 + random.Next(lengths.Sum()))];
        return new Choices(holdsAnswers ? [Mode.PlainCount + random.Next(Mode.PlainCount)] : [], random, lengths, changes);
    }

    /// <summary>Chooses one of so many.</summary>
    public int Next(int of) => Make(of, random => random.Next(of));

    /// <summary>Chooses who goes on.</summary>
    /// <param name="ready">The actors that can, each by its number and how many steps it has taken.</param>
    /// <param name="last">Which of them took the step before; less than zero: none.</param>
    public int NextActor(IReadOnlyList<(int Number, int Steps)> ready, int last) => Make(ready.Count, random =>
    {
        if (_changes is not null)
        {
            return last < 0 ? random.Next(ready.Count) : _changes.Contains(_steps++) ? (last + 1) % ready.Count : last;
        }

        // By the steps that each has left: so those of a short one are spread over all of a long one's.
        var left = ready.Select(actor => Math.Max(_lengths[actor.Number] - actor.Steps, 1)).ToList();
        var drawn = random.Next(left.Sum());
        return left.FindIndex(steps => (drawn -= steps) < 0);
    });

    private int Make(int of, Func<Random, int> draw)
    {
        var choice = Made.Count < _given.Count ? Math.Min(_given[Made.Count], of - 1) : _random is null ? 0 : draw(_random);
        Made.Add((choice, of));
        return choice;
    }

    /// <summary>The first choices of the schedule that comes next when all there are shall be run; <see langword="null"/> after the last.</summary>
    public IReadOnlyList<int>? Following()
    {
        var last = Made.FindLastIndex(static made => made.Choice < made.Of - 1);
        return last < 0 ? null : [.. Made.Take(last).Select(static made => made.Choice), Made[last].Choice + 1];
    }

    public override string ToString() => string.Concat(Made.Select(static made => made.Choice));
}
