namespace Sojourn.Dashboard.Metrics;

/// <summary>Durations as how many fell between which bounds. Immutable.</summary>
internal sealed class Durations(long[] counts)
{
    private readonly long[] _counts = counts;

    /// <summary>Upper bounds, in seconds; what is longer than the last counts above it.</summary>
    public static readonly double[] Bounds = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

    public long Count => _counts.Sum();

    public static Durations Together(IReadOnlyList<Durations> parts)
    {
        var together = new long[Bounds.Length + 1];
        foreach (var part in parts)
        {
            for (var i = 0; i < together.Length; i++)
            {
                together[i] += part._counts[i];
            }
        }

        return new Durations(together);
    }

    public static int BucketOf(double seconds)
    {
        var index = Array.BinarySearch(Bounds, seconds);
        return index < 0 ? ~index : index;
    }

    /// <summary>
    /// About the duration that a share of them did not exceed, in seconds, taken as evenly spread between two bounds; <see langword="null"/> when there are
    /// none.
    /// </summary>
    public double? Quantile(double share)
    {
        var rank = share * Count;
        if (rank <= 0)
        {
            return null;
        }

        for (var i = 0; i < _counts.Length; i++)
        {
            if (rank <= _counts[i])
            {
                var from = i == 0 ? 0 : Bounds[i - 1];
                return i == Bounds.Length ? from : from + ((Bounds[i] - from) * rank / _counts[i]);
            }

            rank -= _counts[i];
        }

        return Bounds[^1];
    }
}
