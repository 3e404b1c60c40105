using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn;

/// <content>Ends sessions from elsewhere.</content>
public sealed partial class SessionManager
{
    internal SessionFinder Finder { get; }

    internal PagePlaces Places { get; }

    /// <summary>
    /// Ends what bears a label. The label's epoch is moved first: a sign-in or a renewal that is under way, and whose record the search may miss, then undoes itself.
    /// </summary>
    internal async ValueTask<int> EndAsync(string label, SessionFilter filter, SessionEndReason reason, CancellationToken cancellationToken)
    {
        await _epochs.MoveAsync(label, cancellationToken).ConfigureAwait(false);
        var ended = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (key, record) in await Finder.FindRecordsAsync(label, cancellationToken).ConfigureAwait(false))
        {
            var session = Finder.Describe(key, record);
            if ((filter.Except is not null && session?.Handle == filter.Except)
                || (filter.Subject is not null && !record.Labels.Contains(SessionLabels.Subject(filter.Subject), StringComparer.Ordinal))
                || (filter.Label is not null && !record.Labels.Contains(filter.Label, StringComparer.Ordinal)))
            {
                continue;
            }

            if (await EndRecordAsync(key, session, reason, cancellationToken).ConfigureAwait(false))
            {
                ended.Add(session?.Handle ?? key);
            }
        }

        return ended.Count;
    }

    /// <summary>Deletes a record, whatever its version: a change that was made meanwhile ends with the session.</summary>
    internal async ValueTask<bool> EndRecordAsync(string key, SessionInfo? session, SessionEndReason reason, CancellationToken cancellationToken)
    {
        if ((await _store.DeleteAsync(key, null, cancellationToken).ConfigureAwait(false)).Outcome != WriteOutcome.Done)
        {
            return false;
        }

        _metrics.Ended(reason);
        _logger.Ended(reason);
        await _events.RaiseAsync(SessionEventKind.Ended, session?.Handle, session?.Subject, reason).ConfigureAwait(false);
        return true;
    }

    /// <summary>Takes a name that counts once, such as a token's; it is kept for an hour, in the store.</summary>
    /// <returns><see langword="false"/> when it was taken before.</returns>
    /// <exception cref="NotSupportedException">The store keeps no subjects' entries.</exception>
    internal ValueTask<bool> TakeOnceAsync(string name, CancellationToken cancellationToken) => _epochs.TakeOnceAsync(name, cancellationToken);

    /// <summary>Lets a name count again that was taken in vain.</summary>
    internal ValueTask GiveBackAsync(string name) => _epochs.GiveBackAsync(name);
}
