namespace Sojourn.Dashboard;

/// <summary>
/// Who may do what on the dashboard. Bound from the configuration section <c>Sojourn:Dashboard</c>, then by code; checked when the application starts. Read
/// once at start.
/// </summary>
public sealed class SojournDashboardOptions
{
    /// <summary>
    /// The authorization policy of those who may see the pages. Needed outside Development: without it the application does not start. In Development, without
    /// it, everybody may read and end. None by default.
    /// </summary>
    public string? ReadPolicy { get; set; }

    /// <summary>
    /// The authorization policy of those who may end sessions, besides <see cref="ReadPolicy"/>, which holds for every page. Nobody may by default
    /// (<see langword="null"/>).
    /// </summary>
    public string? EndPolicy { get; set; }

    /// <summary>
    /// The authorization policy of those who may look at the values of a session's entries, besides <see cref="ReadPolicy"/>. Each look is logged and told to
    /// handlers of events (<see cref="Events.SessionEventKind.Inspected"/>). Nobody may by default (<see langword="null"/>), in Development neither.
    /// </summary>
    public string? ValuesPolicy { get; set; }
}
