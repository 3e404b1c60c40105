using System.Diagnostics;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;

namespace Sojourn;

/// <content>How a record becomes a request's session, and what is made of one that cannot.</content>
public sealed partial class SessionManager
{
    /// <summary>
    /// The session whose record this process has read before, if it is still what a store in memory has, or a near cache: neither is searched for it.
    /// <see langword="null"/> where that is not so, and it is to be loaded.
    /// </summary>
    internal Session? FindHeld(string id, KnownSession known, ISessionHost host, DateTimeOffset now)
    {
        if ((!_store.HandsOutItsOwn && !_store.KeepsCopies)
            || _documents.Find(known) is not { } document
            || _store.FindHeld(document) is not { } record
            || !(record.IsQuietAt(now) || IsAlive(record, document.OwnMetadata, now)))
        {
            return null;
        }

        using var activity = SojournDiagnostics.Start("sojourn.load");
        activity?.SetTag("sojourn.outcome", "found");
        return new Session(this, host, id, known.Key!, record, document) { Known = known, IsCopy = _store.KeepsCopies };
    }

    /// <param name="id">The id.</param>
    /// <param name="key">What it is filed under.</param>
    /// <param name="host">The request that it serves.</param>
    /// <param name="isCopyEnough">False where nothing may have happened since that is not known: what is stored is read then, past any copy.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <param name="known">The session, where this process has met it.</param>
    internal async ValueTask<Session?> LoadAsync(
        string id, string key, ISessionHost? host, bool isCopyEnough, CancellationToken cancellationToken, KnownSession? known = null)
    {
        using var activity = SojournDiagnostics.Start("sojourn.load");
        var isCopy = isCopyEnough && _store.KeepsCopies;
        var copy = isCopyEnough ? _store.FindCopy(key) : null;
        var read = copy is not null ? new(copy.Record)
            : isCopyEnough ? _store.ReadNearAsync(key, cancellationToken)
            : _store.ReadAsync(key, cancellationToken);
        if (await read.ConfigureAwait(false) is not { } record)
        {
            activity?.SetTag("sojourn.outcome", "unknown");
            _documents.Forget(key);
            known?.Document = null;
            await MeetUnknownIdAsync().ConfigureAwait(false);
            return null;
        }

        if (ForwardingOf(record) is { } forwarding)
        {
            activity?.SetTag("sojourn.outcome", "forwarded");
            return await LoadForwardedAsync(id, key, record, forwarding, host, cancellationToken).ConfigureAwait(false);
        }

        return await OpenAsync(id, key, record, host, isCopy, activity, cancellationToken, copy, known).ConfigureAwait(false);
    }

    private ValueTask MeetUnknownIdAsync()
    {
        _metrics.TokenRefused("unknown");
        _logger.UnknownId();
        return _events.RaiseAsync(SessionEventKind.Suspicious, suspicion: SessionSuspicion.UnknownId);
    }

    private ValueTask<Session?> OpenAsync(
        string id, string key, SessionRecord record, ISessionHost? host, bool isCopy, Activity? activity, CancellationToken cancellationToken,
        NearCopy? copy = null, KnownSession? known = null)
    {
        var document = _documents.Of(record, key, known);
        if (document?.ReadMetadata() is not { } metadata)
        {
            activity?.SetTag("sojourn.outcome", "unreadable");
            return MeetUnreadableAsync(key);
        }

        if (copy is not null && document.IsShared)
        {
            document.Copy = copy;
        }

        var now = Time.GetUtcNow();
        if (IsAlive(record, metadata, now))
        {
            activity?.SetTag("sojourn.outcome", "found");
            return new(new Session(this, host, id, key, record, document) { Known = known, IsCopy = isCopy });
        }

        if (isCopy)
        {
            // Others may have kept it alive, which makes no new version and is not told.
            return LoadAsync(id, key, host, isCopyEnough: false, cancellationToken, known);
        }

        activity?.SetTag("sojourn.outcome", "expired");
        return RemoveExpiredAsync(key, record, metadata, cancellationToken);
    }

    private static bool IsAlive(SessionRecord record, SessionMetadata metadata, DateTimeOffset now) =>
        record.ExpiresAt > now && !(metadata.AbsoluteExpiresAt <= now);

    private async ValueTask<Session?> MeetUnreadableAsync(string key)
    {
        _metrics.Unreadable();
        _logger.UnreadableDocument(Start(key));
        await _events.RaiseAsync(SessionEventKind.Suspicious, suspicion: SessionSuspicion.UnreadableDocument).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<Session?> RemoveExpiredAsync(string key, SessionRecord record, SessionMetadata metadata, CancellationToken cancellationToken)
    {
        _logger.Expired();
        try
        {
            if ((await _store.DeleteAsync(key, record, cancellationToken).ConfigureAwait(false)).Outcome == WriteOutcome.Done)
            {
                _documents.Forget(key);
                Watches.HaveEnded(key);
                _metrics.Expired();
                await _events.RaiseAsync(SessionEventKind.Expired, metadata.Handle, metadata.Subject).ConfigureAwait(false);
            }
        }
        catch (SessionStoreException e)
        {
            _logger.ExpiredNotRemoved(Start(key), e);
        }

        return null;
    }

    async ValueTask ISessionOperations.ReloadAsync(Session session, CancellationToken cancellationToken)
    {
        // In turn: what another task of the request is saving just now must not be taken for what is done after this.
        var (key, _) = await EnterAsync(session, cancellationToken).ConfigureAwait(false);
        try
        {
            var fresh = await GoOnAsync(session, await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            if (fresh is null || fresh.ExpiresAt <= Time.GetUtcNow())
            {
                if (session.Record is not null)
                {
                    session.MarkEnded();
                }

                throw new SessionEndedException();
            }

            session.MarkReloaded(fresh);
        }
        finally
        {
            _commits.Leave(key, null);
        }
    }
}
