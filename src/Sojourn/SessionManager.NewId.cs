using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn;

/// <content>A new id at once: because it was asked for, or since somebody signs in.</content>
public sealed partial class SessionManager
{
    ValueTask ISessionOperations.RenewIdAsync(Session session, CancellationToken cancellationToken) =>
        RenewIdAsync(session, SessionEventKind.Renewed, cancellationToken);

    async ValueTask ISessionOperations.SignInAsync(Session session, string subject, SessionSignIn how, CancellationToken cancellationToken)
    {
        if (session.Failure is { } failure)
        {
            throw failure;
        }

        var handle = session.PlannedHandle(subject);
        var limit = Options.MaxSessionsPerSubject;
        var victims = limit is { } most ? await _places.TakeAsync(subject, handle, most, cancellationToken).ConfigureAwait(false) : [];
        try
        {
            foreach (var victim in victims)
            {
                await EndAsync(
                    SessionLabels.Handle(victim), new SessionFilter { Handle = victim }, SessionEndReason.TooMany, cancellationToken).ConfigureAwait(false);
            }

            session.ApplySignIn(subject, handle, how);
            await RenewIdAsync(session, SessionEventKind.SignedIn, cancellationToken).ConfigureAwait(false);
        }
        catch when (limit is not null)
        {
            await _places.GiveBackAsync(subject, handle).ConfigureAwait(false);
            throw;
        }

        if (limit is not null)
        {
            await _places.SettleAsync(subject, handle).ConfigureAwait(false);
        }

        _metrics.SignedIn();
        _logger.SignedIn();
    }

    private async ValueTask RenewIdAsync(Session session, SessionEventKind kind, CancellationToken cancellationToken)
    {
        if (session.Failure is not null)
        {
            throw session.Failure;
        }

        try
        {
            await RenewIdCoreAsync(session, kind, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (session is { Failure: null, State: SessionState.Live, NeedsNewId: true })
        {
            // Who signed in must not be stored under the old id, which somebody else may know.
            session.Failure = Unknown(e) ?? new SessionStoreException("The session got no new id, so what the request changed is not saved.", e);
            throw;
        }
    }

    private async ValueTask RenewIdCoreAsync(Session session, SessionEventKind kind, CancellationToken cancellationToken)
    {
        using var activity = SojournDiagnostics.Start(kind == SessionEventKind.SignedIn ? "sojourn.sign_in" : "sojourn.renew");
        session.CollectChanges();
        var (key, handedOn) = await EnterAsync(session, cancellationToken).ConfigureAwait(false);
        var isNew = session.Record is null;
        try
        {
            if (isNew)
            {
                var newId = session.NewId();
                session.TakeId(newId, KeyOf(newId));
            }
            else
            {
                await MoveAsync(session, key, handedOn, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (Unknown(e) is { } failure)
        {
            session.Failure = failure;
            throw;
        }
        finally
        {
            _commits.Leave(key, null);
        }

        if (!isNew)
        {
            _metrics.Renewed();
        }
        else if (kind == SessionEventKind.SignedIn)
        {
            // A sign-in is stored when it returns, whatever becomes of the request.
            await WriteAsync(session, isResave: false, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            return;
        }

        await TellAsync(kind, session).ConfigureAwait(false);
    }

    /// <summary>
    /// Gives the session a new id: makes the record under its key, then removes the old one. Never the other way, so that a crash in between signs nobody out.
    /// </summary>
    private async ValueTask MoveAsync(Session session, string key, SessionRecord? handedOn, CancellationToken cancellationToken)
    {
        var newId = session.NewId();
        var newKey = KeyOf(newId);
        var now = await GetFreshAsync(session, key, handedOn, isCopyEnough: false, cancellationToken).ConfigureAwait(false);
        var oldKey = session.Key;
        var (record, last) = TakeBatchOfNewId(session, now);
        await CreateAsync(session, newKey, record, session.Labels(), cancellationToken).ConfigureAwait(false);

        // From here on the visitor has the new id.
        session.TakeId(newId, newKey);
        try
        {
            (record, last) = await RemoveOldAsync(session, oldKey, newKey, record, last, now, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (Unknown(e) is not null)
        {
            // The request fails, so that nobody is told the id.
            await RemoveInVainAsync(newKey).ConfigureAwait(false);
            throw;
        }

        MarkCreated(session, record, last);
    }

    /// <returns>The record under the new key, with what was written to the old one meanwhile.</returns>
    private async ValueTask<(SessionRecord Record, Change? Last)> RemoveOldAsync(
        Session session, string oldKey, string newKey, SessionRecord record, Change? last, DateTimeOffset now, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            Watches.HaveMoved(oldKey, newKey, session.KnownHandle);
            if (attempt == MaxRenewAttempts)
            {
                if (await RemoveAsync(oldKey, session.Record, cancellationToken, isMoving: true).ConfigureAwait(false))
                {
                    return (record, last);
                }

                throw await UndoMoveAsync(session, newKey, cancellationToken).ConfigureAwait(false);
            }

            var deleted = await _store.DeleteAsync(oldKey, session.Record, cancellationToken).ConfigureAwait(false);
            if (deleted.Outcome == WriteOutcome.Done)
            {
                _documents.Forget(oldKey);
                return (record, last);
            }

            // The old id may have renewed itself meanwhile: then its next one is dead as well.
            var late = await LateAsync(oldKey, deleted, cancellationToken).ConfigureAwait(false);
            (oldKey, _, late) = await FollowAsync(oldKey, null, late, inGrace: false, cancellationToken).ConfigureAwait(false);
            if (late is null)
            {
                throw await UndoMoveAsync(session, newKey, cancellationToken).ConfigureAwait(false);
            }

            (record, last) = await CarryOverAsync(session, late, newKey, now, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Destroyed meanwhile, and so must its successor be.</summary>
    private async ValueTask<SessionEndedException> UndoMoveAsync(Session session, string newKey, CancellationToken cancellationToken)
    {
        await _store.DeleteAsync(newKey, null, cancellationToken).ConfigureAwait(false);
        Watches.HaveEnded(newKey);
        session.MarkEnded();
        return new SessionEndedException();
    }
}
