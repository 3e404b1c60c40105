namespace Sojourn.Dashboard.Metrics;

/// <summary>What time the overview looks back at, and in how many points. Every range is a whole number of the ring's slots.</summary>
internal sealed record TimeRange(string Id, string Name, TimeSpan Point, int Points)
{
    public static readonly TimeSpan FineSlot = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan CoarseSlot = TimeSpan.FromMinutes(10);
    public static readonly TimeSpan FineKept = TimeSpan.FromHours(1);

    public static readonly IReadOnlyList<TimeRange> All =
    [
        new("10m", "10 minutes", FineSlot, 60),
        new("1h", "1 hour", TimeSpan.FromMinutes(1), 60),
        new("24h", "24 hours", TimeSpan.FromMinutes(20), 72),
    ];

    public static readonly TimeRange Longest = All[^1];

    public TimeSpan Length => Point * Points;

    public bool IsFine => Length <= FineKept;

    public static TimeRange Find(string? id) => All.FirstOrDefault(range => range.Id == id) ?? All[0];
}
