using Sojourn.Dashboard.Metrics;
using Sojourn.Dashboard.Pages;
using Sojourn.Storage;

namespace Sojourn.Dashboard.Health;

/// <summary>Whether the store does its work, now and over the last day.</summary>
internal static class StoreChecks
{
    public static async Task<IReadOnlyList<Finding>> RunAsync(
        SessionManager manager, ISessionStore store, MetricsReader metrics, TimeProvider time, CancellationToken cancellationToken) =>
    [
        await AnswersAsync(manager, time, cancellationToken).ConfigureAwait(false),
        Failures(metrics),
        Unreadable(metrics),
        Pruning(store, manager.Options, metrics, time),
    ];

    private static async Task<Finding> AnswersAsync(SessionManager manager, TimeProvider time, CancellationToken cancellationToken)
    {
        const string Title = "The store answers";
        try
        {
            var began = time.GetTimestamp();
            await manager.ProbeAsync(cancellationToken).ConfigureAwait(false);
            return new(FindingLevel.Good, Title, $"A session was stored, read and deleted in {Words.Duration(time.GetElapsedTime(began).TotalSeconds)}.");
        }
        catch (SessionStoreException e)
        {
            return new(FindingLevel.Problem, Title, e.InnerException is { } cause ? $"{e.Message} {cause.Message}" : e.Message,
                "See that the database runs, that this machine reaches it and that its credentials are right. Until then requests with a session get 503; "
                + "nothing is lost.");
        }
    }

    private static Finding Failures(MetricsReader metrics)
    {
        const string Title = "Calls of the store";
        var failures = metrics.ByTag(TimeRange.Longest, "sojourn.store.failures");
        return failures.Count == 0
            ? new(FindingLevel.Good, Title, "None failed or was late in the last 24 hours.")
            : new(metrics.Sum(TimeRange.All[0], "sojourn.store.failures") > 0 ? FindingLevel.Problem : FindingLevel.Advice, Title,
                $"Failed or late in the last 24 hours: {string.Join(", ", failures.Select(each => $"{each.Key} {Words.Number(each.Value)}"))}. In the last 10 "
                + $"minutes: {Words.Number(metrics.Sum(TimeRange.All[0], "sojourn.store.failures"))}.",
                "Look at the database's log and load, and at the network to it. A call has StoreTimeout; a failed one is a 503 to the visitor.");
    }

    private static Finding Unreadable(MetricsReader metrics)
    {
        const string Title = "Stored sessions are readable";
        var unreadable = metrics.Sum(TimeRange.Longest, "sojourn.documents.unreadable") + metrics.Sum(TimeRange.Longest, "sojourn.documents.refused");
        return unreadable == 0
            ? new(FindingLevel.Good, Title, "Every session that was asked for in the last 24 hours was.")
            : new(
                FindingLevel.Problem, Title,
                $"{Words.Number(unreadable)} of the last 24 hours were not. Their visitors went on with a new session; the records are kept.",
                "The log names each by the start of its key. Somebody wrote to the database, a newer version of the application did, or an encryption key was "
                + "removed too early: keep it until AbsoluteTimeout has passed.");
    }

    private static Finding Pruning(ISessionStore store, SojournOptions options, MetricsReader metrics, TimeProvider time)
    {
        const string Title = "Expired sessions are removed";
        if (store.As<IExpiringStore>() is null)
        {
            return new(FindingLevel.Good, Title, "The database removes them by itself.");
        }

        var last = metrics.LastOf("sojourn.prune.duration");
        return time.GetUtcNow() - (last?.At ?? metrics.Since) <= 3 * options.PruneInterval
            ? new(
                FindingLevel.Good, Title,
                last is { } turn
                    ? $"The last turn was at {Words.Time(turn.At)} and took {Words.Duration(turn.Value)}."
                    : $"The first turn comes within {Words.Span(options.PruneInterval)} of the start.")
            : new(FindingLevel.Problem, Title, $"No turn has ended for more than three times PruneInterval ({Words.Span(options.PruneInterval)}).",
                "The log tells why pruning failed. The store grows meanwhile; expired sessions open nothing all the same.");
    }
}
