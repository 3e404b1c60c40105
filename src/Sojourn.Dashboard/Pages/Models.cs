using Sojourn.Administration;
using Sojourn.Dashboard.Health;
using Sojourn.Dashboard.Metrics;
using Sojourn.Dashboard.Sessions;
using Sojourn.Events;

namespace Sojourn.Dashboard.Pages;

/// <summary>Why the store could not tell something: in words for the page.</summary>
internal sealed record Trouble(string Title, string Detail);

/// <summary>The overview.</summary>
/// <param name="Range">What time it looks back at.</param>
/// <param name="Metrics">What was counted in this process.</param>
/// <param name="Count">How many sessions there are; <see langword="null"/> where it is not known.</param>
/// <param name="Trouble">Why it is not known; <see langword="null"/> too while they are still counted.</param>
/// <param name="Last">What happened last.</param>
/// <param name="PruneInterval">How often expired sessions are removed; <see langword="null"/> where the database does so.</param>
internal sealed record OverviewModel(
    TimeRange Range, MetricsReader Metrics, SessionCount? Count, Trouble? Trouble, IReadOnlyList<SessionEvent> Last, TimeSpan? PruneInterval);

/// <summary>The list of sessions.</summary>
/// <param name="Find">What was looked for; empty for a page of all.</param>
/// <param name="Filter">What of the page is shown.</param>
/// <param name="Looked">How many sessions the page looked at.</param>
/// <param name="Shown">Those that the filter lets through.</param>
/// <param name="Next">What to ask for the next page with.</param>
/// <param name="Place">What this page was asked for with; empty for the first.</param>
/// <param name="Stored">How many there are.</param>
/// <param name="Subject">Whose sessions they all are, where they were found by subject.</param>
/// <param name="Trouble">Why there is no list.</param>
internal sealed record ListModel(
    string Find, PageFilter Filter, int Looked, IReadOnlyList<SessionInfo> Shown, string? Next, string Place, SessionCount? Stored, string? Subject,
    Trouble? Trouble);

/// <summary>One session, or what is left of it.</summary>
internal sealed record SessionModel(
    string Handle, SessionDetail? Detail, bool HasValues, IReadOnlyList<SessionEvent> Events, EventHistory History, FormToken Token, Trouble? Trouble);

/// <summary>Asks before something is ended.</summary>
internal sealed record EndModel(
    string Title, string? Subject, IReadOnlyList<SessionInfo> Sessions, string Button, string Action, string Back, FormToken Token, bool IsOwn);

/// <summary>Says what was done, or why nothing was.</summary>
internal sealed record MessageModel(string Title, string Detail, string? Link, string? LinkText, bool IsProblem);

/// <summary>The health of the store and of the configuration.</summary>
internal sealed record HealthModel(IReadOnlyList<Finding> Findings, IReadOnlyList<KeyValuePair<string, string>> Configuration);
