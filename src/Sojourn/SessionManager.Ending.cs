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

    /// <summary>Ends what bears a label, and lets nothing that bears it begin meanwhile.</summary>
    internal async ValueTask<int> EndAsync(string label, SessionFilter filter, SessionEndReason reason, CancellationToken cancellationToken)
    {
        using var activity = SojournDiagnostics.Start("sojourn.end");
        var end = await _epochs.BeginEndAsync(label, cancellationToken).ConfigureAwait(false);
        try
        {
            var ended = await EndFoundAsync(label, filter, reason, cancellationToken).ConfigureAwait(false);
            activity?.SetTag("sojourn.ended", ended);
            return ended;
        }
        finally
        {
            await _epochs.FinishEndAsync(label, end).ConfigureAwait(false);
        }
    }

    private async ValueTask<int> EndFoundAsync(string label, SessionFilter filter, SessionEndReason reason, CancellationToken cancellationToken)
    {
        var (count, ended) = (0, new HashSet<string>(StringComparer.Ordinal));
        foreach (var (key, record) in await Finder.FindRecordsAsync(label, cancellationToken).ConfigureAwait(false))
        {
            var session = Finder.Describe(key, record);
            var isMeant = (filter.Except is null || session?.Handle != filter.Except)
                && (filter.Subject is null || record.Labels.Contains(SessionLabels.Subject(filter.Subject), StringComparer.Ordinal))
                && (filter.Label is null || record.Labels.Contains(filter.Label, StringComparer.Ordinal));
            if (isMeant)
            {
                count += await EndOnceAsync(key, record, session, ended, reason, cancellationToken).ConfigureAwait(false) ? 1 : 0;
            }
        }

        return count;
    }

    /// <summary>Ends the session of a record that was found. While its id is renewed a session has two records, and ends once.</summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="record">The record.</param>
    /// <param name="session">What is in it.</param>
    /// <param name="ended">The handles of those that ended so far; what ends is added.</param>
    /// <param name="reason">What handlers of events are told.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>Whether it ended by this.</returns>
    internal async ValueTask<bool> EndOnceAsync(
        string key, SessionRecord record, SessionInfo? session, HashSet<string> ended, SessionEndReason reason, CancellationToken cancellationToken)
    {
        if (session?.Handle is not { } handle)
        {
            return await EndRecordAsync(key, record, session, reason, cancellationToken).ConfigureAwait(false);
        }

        if (ended.Contains(handle))
        {
            await RemoveAsync(key, record, cancellationToken).ConfigureAwait(false);
            return false;
        }

        if (!await EndRecordAsync(key, record, session, reason, cancellationToken).ConfigureAwait(false)
            && !await EndMovedAsync(handle, session, reason, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        return ended.Add(handle);
    }

    /// <summary>Ends a session that is not where it was found any more: in an end that takes long it may have been given a new id.</summary>
    private async ValueTask<bool> EndMovedAsync(string handle, SessionInfo session, SessionEndReason reason, CancellationToken cancellationToken)
    {
        if (!Finder.FindsByLabel)
        {
            return false;
        }

        for (var attempt = 1; attempt <= MaxRenewAttempts; attempt++)
        {
            var found = await Finder.FindRecordsAsync(SessionLabels.Handle(handle), cancellationToken).ConfigureAwait(false);
            foreach (var (key, record) in found)
            {
                if (await EndRecordAsync(key, record, session, reason, cancellationToken).ConfigureAwait(false))
                {
                    return true;
                }
            }

            if (found.Count == 0)
            {
                break;
            }
        }

        return false;
    }

    /// <summary>Deletes the record of a session, whatever its version: a change that was made meanwhile ends with the session.</summary>
    internal async ValueTask<bool> EndRecordAsync(
        string key, SessionRecord? record, SessionInfo? session, SessionEndReason reason, CancellationToken cancellationToken)
    {
        if (!await RemoveAsync(key, _isKeyedById ? null : record, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        await TellEndedAsync(session?.Handle, session?.Subject, reason).ConfigureAwait(false);
        return true;
    }

    private ValueTask TellEndedAsync(string? handle, string? subject, SessionEndReason reason)
    {
        _metrics.Ended(reason);
        _logger.Ended(reason);
        return _events.RaiseAsync(SessionEventKind.Ended, handle, subject, reason);
    }

    /// <summary>Takes a name that counts once, such as a token's; it is kept for an hour, in the store.</summary>
    /// <returns><see langword="false"/> when it was taken before.</returns>
    /// <exception cref="NotSupportedException">The store keeps no subjects' entries.</exception>
    internal ValueTask<bool> TakeOnceAsync(string name, CancellationToken cancellationToken) => _epochs.TakeOnceAsync(name, cancellationToken);

    /// <summary>Lets a name count again that was taken in vain.</summary>
    internal ValueTask GiveBackAsync(string name) => _epochs.GiveBackAsync(name);
}
