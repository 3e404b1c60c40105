using System.Globalization;
using Microsoft.AspNetCore.Http;
using Sojourn.Administration;

namespace Sojourn.Dashboard.Sessions;

/// <summary>What of a page of sessions is shown.</summary>
/// <param name="Device">A part of what the device calls itself, or of its network; empty for any.</param>
/// <param name="Age">How old the session is: <c>lt1h</c>, <c>gt1d</c> and the like; empty for any.</param>
/// <param name="Seen">How long ago it was used last, in the same way.</param>
/// <param name="Size">How many records a page looks at.</param>
internal sealed record PageFilter(string Device, string Age, string Seen, int Size)
{
    public static readonly IReadOnlyList<int> Sizes = [50, 200, 1_000];

    /// <summary>Bounds of time that can be chosen; <c>lt</c>: less than, <c>gt</c>: more than.</summary>
    public static readonly IReadOnlyList<(string Id, string Name)> Times =
    [
        ("", "any"), ("lt5m", "under 5 minutes"), ("lt1h", "under 1 hour"), ("lt1d", "under 1 day"), ("gt5m", "over 5 minutes"), ("gt1h", "over 1 hour"),
        ("gt1d", "over 1 day"), ("gt7d", "over 7 days"),
    ];

    public bool IsSet => Device is not "" || Age is not "" || Seen is not "";

    public static PageFilter Of(IQueryCollection query) => new(
        query["device"].ToString().Trim(),
        Known(query["age"]),
        Known(query["seen"]),
        int.TryParse(query["size"], NumberStyles.None, CultureInfo.InvariantCulture, out var size) && Sizes.Contains(size) ? size : Sizes[0]);

    public bool Holds(SessionInfo session, DateTimeOffset now) =>
        (Device is "" || Has(session.Device?.Agent) || Has(session.Device?.Network))
        && (Age is "" || (session.CreatedAt is { } created && Within(Age, now - created)))
        && (Seen is "" || Within(Seen, now - session.LastSeenAt));

    private bool Has(string? text) => text?.Contains(Device, StringComparison.OrdinalIgnoreCase) == true;

    private static string Known(string? id) => Times.Any(time => time.Id == id) ? id! : "";

    private static bool Within(string id, TimeSpan time)
    {
        var unit = id[^1] switch { 'm' => TimeSpan.FromMinutes(1), 'h' => TimeSpan.FromHours(1), _ => TimeSpan.FromDays(1) };
        var bound = int.Parse(id.AsSpan(2, id.Length - 3), CultureInfo.InvariantCulture) * unit;
        return id.StartsWith("lt", StringComparison.Ordinal) ? time < bound : time > bound;
    }
}
