using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn;

/// <content>
/// Ids that renew themselves (<see cref="SojournOptions.RenewIdAfter"/>). The record of the new id is created, then a forwarding record takes the place of the
/// old one, by compare-and-swap: whatever comes upon it goes on at the new record. For the grace that is a request with the old id, too; after it only a
/// request that had the session before.
/// </content>
public sealed partial class SessionManager
{
    /// <summary>How many forwarding records are followed, one after the other.</summary>
    private const int MaxHops = 1_000;

    /// <summary>Loads the session of an id that was renewed; within the grace, or not at all.</summary>
    private async ValueTask<Session?> LoadForwardedAsync(
        string id, string key, SessionRecord record, Forwarding forwarding, ISessionHost? host, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (record.ExpiresAt > now && forwarding.Until <= now)
        {
            await MeetDeadIdAsync(key, record, cancellationToken).ConfigureAwait(false);
            return null;
        }

        var found = record.ExpiresAt <= now ? default : await FollowAsync(key, id, record, inGrace: true, cancellationToken).ConfigureAwait(false);
        if (found.Record is null)
        {
            await MeetUnknownIdAsync().ConfigureAwait(false);
            return null;
        }

        var session = await OpenAsync(found.Id ?? id, found.Key, found.Record, host, isCopy: false, activity: null, cancellationToken).ConfigureAwait(false);
        return session?.GoOnAs(found.Id, found.Key);
    }

    private async ValueTask MeetDeadIdAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        _metrics.TokenRefused("dead");
        _logger.DeadId();
        if (!Options.EndOnDeadId && !_events.HasHandlers)
        {
            return;
        }

        var found = await FollowAsync(key, null, record, inGrace: false, cancellationToken).ConfigureAwait(false);
        var session = found.Record is null ? null : Finder.DescribeLive(found.Key, found.Record);
        await _events.RaiseAsync(SessionEventKind.Suspicious, session?.Handle, session?.Subject, suspicion: SessionSuspicion.DeadId).ConfigureAwait(false);
        if (Options.EndOnDeadId && session is not null)
        {
            await EndRecordAsync(found.Key, found.Record, session, SessionEndReason.DeadId, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Renews the id of a session whose id is due, together with what the request changed. Of the requests that find it due one renews it, and the others go on
    /// under its new id. What changed nothing does not fail by it.
    /// </summary>
    private async ValueTask RenewAndCommitAsync(Session session, TimeSpan after, bool isChanged, CancellationToken cancellationToken)
    {
        try
        {
            if (await TryRenewAsync(session, after, isChanged, cancellationToken).ConfigureAwait(false))
            {
                _metrics.Renewed();
                await TellAsync(SessionEventKind.Renewed, session).ConfigureAwait(false);
                return;
            }
        }
        catch (SessionEndedException) when (!isChanged)
        {
            return;
        }
        catch (SessionTooLargeException) when (!isChanged)
        {
            // With the time of the new id it would not fit: the id stays as it is.
            session.Rebase(session.Record!);
            return;
        }
        catch (SessionStoreException e) when (!isChanged)
        {
            _logger.RenewalFailed(Start(session.Key), e);
            await LookWhereAsync(session, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (isChanged)
        {
            await WriteAsync(session, isResave: false, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>After a failure nobody knows whether the id was renewed: if it was, and the store answers by now, the visitor is told.</summary>
    private async ValueTask LookWhereAsync(Session session, CancellationToken cancellationToken)
    {
        session.Rebase(session.Record!);
        try
        {
            await RebaseOnStoredAsync(session, session.Key, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SessionStoreException or SessionEndedException)
        {
            // The next request looks again.
        }
    }

    private async ValueTask<bool> TryRenewAsync(Session session, TimeSpan after, bool isChanged, CancellationToken cancellationToken)
    {
        using var activity = SojournDiagnostics.Start("sojourn.renew");
        var (key, _) = await EnterAsync(session, cancellationToken).ConfigureAwait(false);
        try
        {
            var now = await RebaseOnStoredAsync(session, key, cancellationToken).ConfigureAwait(false);
            return session.Key == key && session.IsRenewalDue(after, now) && await ForwardAsync(session, now, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (isChanged && Unknown(e) is { } failure)
        {
            session.Failure = failure;
            throw;
        }
        finally
        {
            _commits.Leave(key, null);
        }
    }

    /// <summary>Renews the id, unless another request has the session exclusively, by the id as it is.</summary>
    /// <returns>False where it is left to others: the session goes on from what is stored, its changes still to be saved.</returns>
    private async ValueTask<bool> ForwardAsync(Session session, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var nonce = SessionId.New();
        var newId = SessionId.After(session.KnownId, nonce, _secrets[0]);
        var forwarding = new Forwarding(KeyOf(newId), nonce, now + Options.RenewalGrace);
        if (await session.PrepareRenewalAsync(forwarding.To).ConfigureAwait(false))
        {
            return await ForwardAsync(session, newId, forwarding, now, cancellationToken).ConfigureAwait(false);
        }

        if (await Exclusive.TryEnterAsync(session.Key, cancellationToken).ConfigureAwait(false) is not { } turn)
        {
            return false;
        }

        await using (turn.ConfigureAwait(false))
        {
            return await ForwardAsync(session, newId, forwarding, now, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Creates the record of the next id, then lets the old one's lead there: never the other way, so that a crash in between signs nobody out.
    /// </summary>
    private async ValueTask<bool> ForwardAsync(Session session, string newId, Forwarding forwarding, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var oldKey = session.Key;
        var (record, last) = TakeBatchOfNewId(session, now);
        await CreateAsync(session, forwarding.To, record, session.Labels(), cancellationToken).ConfigureAwait(false);
        for (var attempt = 1; ; attempt++)
        {
            var replaced = await _store.ReplaceAsync(oldKey, session.Record!, forwarding.ToRecord(record.ExpiresAt), cancellationToken).ConfigureAwait(false);
            if (replaced.Outcome == WriteOutcome.Done)
            {
                session.TakeId(newId, forwarding.To);
                Watches.HaveMoved(oldKey, forwarding.To, session.KnownHandle);
                MarkCreated(session, record, last);
                return true;
            }

            var late = await LateAsync(oldKey, replaced, cancellationToken).ConfigureAwait(false);
            if (late is null || attempt == MaxRenewAttempts || ForwardingOf(late) is not null)
            {
                // Ended meanwhile; or written to so often that the next request may try; or another process was faster.
                await _store.DeleteAsync(forwarding.To, null, cancellationToken).ConfigureAwait(false);
                await RebaseAsync(session, late, cancellationToken).ConfigureAwait(false);
                return false;
            }

            (record, last) = await CarryOverAsync(session, late, forwarding.To, now, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A writer of the old id was faster: its work goes into the new record before the old one gives way.</summary>
    private async ValueTask<(SessionRecord Record, Change? Last)> CarryOverAsync(
        Session session, SessionRecord late, string newKey, DateTimeOffset now, CancellationToken cancellationToken)
    {
        session.Rebase(late);
        var batch = TakeBatchOfNewId(session, now);
        var stored = await _store.ReadAsync(newKey, cancellationToken).ConfigureAwait(false);
        return stored is not null
            && (await _store.ReplaceAsync(newKey, stored, batch.Record, cancellationToken).ConfigureAwait(false)).Outcome == WriteOutcome.Done
            ? batch
            : throw new SessionStoreException("The record of the new id was changed before anybody knew the id.");
    }

    private (SessionRecord Record, Change? Last) TakeBatchOfNewId(Session session, DateTimeOffset now)
    {
        if (Options.RenewIdAfter is not null)
        {
            session.StampId(now);
        }

        return session.TakeBatch(now);
    }

    /// <summary>What a conditional write found in place of the record that it meant.</summary>
    private async ValueTask<SessionRecord?> LateAsync(string key, WriteResult result, CancellationToken cancellationToken) =>
        result.Outcome == WriteOutcome.Gone ? null : result.Record ?? await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false);

    /// <summary>Goes on from what is stored, wherever the session is now.</summary>
    /// <returns>The instant at which it was alive.</returns>
    /// <exception cref="SessionEndedException">It has ended.</exception>
    private async ValueTask<DateTimeOffset> RebaseAsync(Session session, SessionRecord? found, CancellationToken cancellationToken)
    {
        var fresh = await GoOnAsync(session, found, cancellationToken).ConfigureAwait(false);
        var now = RequireAlive(session, fresh);
        session.Rebase(fresh!);
        return now;
    }

    private async ValueTask<DateTimeOffset> RebaseOnStoredAsync(Session session, string key, CancellationToken cancellationToken) =>
        await RebaseAsync(session, await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);

    /// <summary>
    /// Where the id of a running request's session was renewed meanwhile, the request goes on under the new one, for as long as the old one's record is kept.
    /// </summary>
    /// <returns>The record to go on from: the one that was found, or the one that it leads to.</returns>
    private async ValueTask<SessionRecord?> GoOnAsync(Session session, SessionRecord? found, CancellationToken cancellationToken)
    {
        if (found is null || ForwardingOf(found) is null)
        {
            return found;
        }

        var now = await FollowAsync(session.Key, session.KnownId, found, inGrace: false, cancellationToken).ConfigureAwait(false);
        session.GoOnAs(now.Id, now.Key);
        return now.Record;
    }

    /// <summary>Follows forwarding records to the record of the session itself, and from the old id, where there is one, to the id that it has now.</summary>
    private async ValueTask<Place> FollowAsync(string key, string? id, SessionRecord? record, bool inGrace, CancellationToken cancellationToken)
    {
        for (var hops = 0; record is not null && ForwardingOf(record) is { } forwarding; hops++)
        {
            if (hops == MaxHops || (inGrace && forwarding.Until <= Time.GetUtcNow()))
            {
                return new Place(key, null, null);
            }

            id = id is null ? null : NextId(id, forwarding);
            key = forwarding.To;
            record = await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false);
        }

        return new Place(key, id, record);
    }

    /// <summary>Makes the next id again, which nobody has stored: by the secret that made it, whichever of them that was.</summary>
    private string? NextId(string id, Forwarding forwarding)
    {
        foreach (var secret in _secrets)
        {
            var next = SessionId.After(id, forwarding.Nonce, secret);
            if (KeyOf(next) == forwarding.To)
            {
                return next;
            }
        }

        return null;
    }

    /// <summary>
    /// Deletes the record of a session, in whatever version, and wherever the session is now: what was changed or renewed meanwhile ends with it.
    /// </summary>
    /// <param name="key">The key that it had.</param>
    /// <param name="known">The record as it is known; <see langword="null"/> to delete what is there under this very key.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <param name="isMoving">Whether it goes on under another key, to which those who wait for its end have moved.</param>
    private async ValueTask<bool> RemoveAsync(string key, SessionRecord? known, CancellationToken cancellationToken, bool isMoving = false)
    {
        for (var attempt = 1; ; attempt++)
        {
            var deleted = await _store.DeleteAsync(key, attempt < MaxAttempts ? known : null, cancellationToken).ConfigureAwait(false);
            if (deleted.Outcome != WriteOutcome.Conflict)
            {
                _documents.Forget(key);
                if (deleted.Outcome == WriteOutcome.Gone)
                {
                    // Ended by somebody else, or renewed.
                    Watches.AskToLook(key);
                }
                else if (!isMoving)
                {
                    Watches.HaveEnded(key);
                }

                return deleted.Outcome == WriteOutcome.Done;
            }

            var late = await LateAsync(key, deleted, cancellationToken).ConfigureAwait(false);
            (key, _, known) = await FollowAsync(key, null, late, inGrace: false, cancellationToken).ConfigureAwait(false);
            if (known is null)
            {
                return false;
            }
        }
    }

    /// <summary>A layout that is keyed by id has none: Node applications know nothing of them.</summary>
    private Forwarding? ForwardingOf(SessionRecord record) => _isKeyedById ? null : Forwarding.Of(record);

    /// <summary>Where a session is.</summary>
    private readonly record struct Place(string Key, string? Id, SessionRecord? Record);
}
