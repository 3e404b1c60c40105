namespace Sojourn.Races;

/// <summary>
/// What a schedule decides, in the order in which it was asked: first as it was given, then at random, or always the first of what there is. The same choices make
/// the same schedule. They are written as digits.
/// </summary>
internal sealed class Choices
{
    private readonly IReadOnlyList<int> _given;
    private readonly Random? _random;
    private readonly double _stays;

    /// <param name="given">The first choices; every later one is the first of what there is.</param>
    public Choices(IReadOnlyList<int> given) => _given = given;

    private Choices(Random random, double stays) => (_given, _random, _stays) = ([], random, stays);

    /// <summary>What was chosen, and of how many.</summary>
    public List<(int Choice, int Of)> Made { get; } = [];

    public static Choices Parse(string digits) => new([.. digits.Select(static digit => digit - '0')]);

    /// <param name="seed">The same seed gives the same choices.</param>
    /// <param name="changesOften">
    /// Whether each is as likely as the others. Else some schedules seldom change actors, and find what goes wrong when one stands still while another does all that it has to do.
    /// </param>
    public static Choices Draw(int seed, bool changesOften)
    {
        var random = new Random(seed);
        return new Choices(random, changesOften ? 0 : new[] { 0, 0.6, 0.8, 0.95 }[random.Next(4)]);
    }

    /// <param name="of">How many there are to choose from.</param>
    /// <param name="stay">Which of them would go on with what was chosen before.</param>
    public int Next(int of, int stay = -1)
    {
        var choice = Made.Count < _given.Count ? Math.Min(_given[Made.Count], of - 1)
            : _random is null ? 0
            : stay >= 0 && _random.NextDouble() < _stays ? stay
            : _random.Next(of);
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
