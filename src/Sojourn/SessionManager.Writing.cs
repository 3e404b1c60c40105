using System.Collections.Immutable;
using System.Security.Cryptography;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Subjects;

namespace Sojourn;

/// <content>Everything that changes what the store holds, one commit of a session at a time.</content>
public sealed partial class SessionManager
{
    /// <summary>How many commits wait for another one of their session.</summary>
    internal int WaitingCommits => _commits.Waiting;

    /// <summary>
    /// Writes at once what a store in memory has still as this request knows it, where nobody has the session's turn: a turn is for what has to be waited for,
    /// and the compare-and-swap alone sees to it that nothing is lost.
    /// </summary>
    private ValueTask WriteAsync(Session session, bool isResave, CancellationToken cancellationToken) =>
        _store.HandsOutItsOwn && session.TryReplaceHeld(_store, _commits) ? default : WriteInTurnAsync(session, isResave, cancellationToken);

    /// <summary>The one compare-and-swap: on a conflict the changes are done again to the fresh record, and nothing is written over one that is gone.</summary>
    private async ValueTask WriteInTurnAsync(Session session, bool isResave, CancellationToken cancellationToken)
    {
        using var activity = SojournDiagnostics.Start("sojourn.commit");
        var (key, handedOn) = await EnterAsync(session, cancellationToken).ConfigureAwait(false);
        var (handOn, isCreated) = ((SessionRecord?)null, false);
        try
        {
            if (session.Record is null)
            {
                await CreateAsync(session, key, cancellationToken).ConfigureAwait(false);
                isCreated = true;
                return;
            }

            if (session.NeedsNewId)
            {
                // Another task of the request is about to give it one: what somebody signed in is never stored under the old id, so whoever comes first does.
                await MoveAsync(session, key, handedOn, cancellationToken).ConfigureAwait(false);
                return;
            }

            if (handedOn is not null && RandomNumberGenerator.GetInt32(CommitsBetweenPauses) == 0)
            {
                // Commits that follow on one another let no other process in, which is always a moment too late. By the real clock: one that a test holds still
                // must not hold up a commit.
                await Task.Delay(1, cancellationToken).ConfigureAwait(false);
            }

            var now = await GetFreshAsync(session, key, handedOn, isCopyEnough: true, cancellationToken).ConfigureAwait(false);
            for (var attempt = 1; ; attempt++)
            {
                var (record, last) = session.TakeBatch(now);
                var result = await _store.ReplaceAsync(session.Key, session.Record!, record, cancellationToken).ConfigureAwait(false);
                if (result.Outcome == WriteOutcome.Done)
                {
                    // Where the id was renewed meanwhile, the next in line has yet to find that out.
                    handOn = session.Key == key ? result.Record : null;
                    session.MarkStored(result.Record ?? record, last, isVersionUnknown: result.Record is null);
                    return;
                }

                var fresh = await GoOnAsync(
                    session, await LateAsync(session.Key, result, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
                if (isResave)
                {
                    // Nothing of this request's own is lost, whatever the other request did.
                    if (fresh is null)
                    {
                        session.MarkEnded();
                    }
                    else if (session.Key != key)
                    {
                        session.Rebase(fresh);
                    }

                    return;
                }

                now = RequireAlive(session, fresh);
                _metrics.Conflict();

                // Again at once: what was read is fresh now, and would not be after a pause.
                session.Rebase(fresh!);
                if (attempt == MaxAttempts)
                {
                    throw new SessionConflictException(attempt);
                }
            }
        }
        catch (Exception e) when (Unknown(e) is { } failure)
        {
            session.Failure = failure;
            throw;
        }
        finally
        {
            _commits.Leave(key, handOn);
            if (isCreated)
            {
                // Nobody waits for handlers but the request itself, and they may save the session.
                await TellAsync(SessionEventKind.Created, session).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits for the session's turn, under the key that it has by then: another task of the request may give it a new id meanwhile.</summary>
    private ValueTask<(string Key, SessionRecord? HandedOn)> EnterAsync(Session session, CancellationToken cancellationToken)
    {
        var key = session.Key;
        var entering = _commits.EnterAsync(key, cancellationToken);
        return entering.IsCompletedSuccessfully && session.Key == key ? new((key, entering.Result)) : WaitAsync(session, key, entering, cancellationToken);
    }

    private async ValueTask<(string Key, SessionRecord? HandedOn)> WaitAsync(
        Session session, string key, ValueTask<SessionRecord?> entering, CancellationToken cancellationToken)
    {
        while (true)
        {
            var handedOn = await entering.ConfigureAwait(false);
            if (session.Key == key)
            {
                return (key, handedOn);
            }

            _commits.Leave(key, handedOn);
            key = session.Key;
            entering = _commits.EnterAsync(key, cancellationToken);
        }
    }

    private async ValueTask CreateAsync(Session session, string key, CancellationToken cancellationToken)
    {
        var (record, last) = session.TakeBatch(Time.GetUtcNow());
        await CreateAsync(session, key, record, session.Labels(isNew: true), cancellationToken).ConfigureAwait(false);
        MarkCreated(session, record, last);
        _metrics.Created();
        _logger.Created();
    }

    /// <summary>Creates the record of a new id, and takes it back if all that bears one of its labels was ended meanwhile.</summary>
    private async ValueTask CreateAsync(Session session, string key, SessionRecord record, ImmutableArray<string> watched, CancellationToken cancellationToken)
    {
        var before = await _epochs.ReadSettledAsync(watched, cancellationToken).ConfigureAwait(false);
        if (session.ProvedAt is { } proved && Array.Exists(before, entry => proved < entry.MovedAt))
        {
            _logger.ProvedTooEarly();
            throw Undone(session);
        }

        SubjectEntry[] after;
        try
        {
            if (!await _store.CreateAsync(key, record, cancellationToken).ConfigureAwait(false))
            {
                throw new SessionStoreException("The new id's key is taken.");
            }

            after = await _epochs.ReadAsync(watched, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!watched.IsEmpty && Unknown(e) is not null)
        {
            await RemoveInVainAsync(key).ConfigureAwait(false);
            throw;
        }

        for (var i = 0; i < after.Length; i++)
        {
            if (after[i].Epoch != before[i].Epoch)
            {
                await _store.DeleteAsync(key, null, cancellationToken).ConfigureAwait(false);
                throw Undone(session);
            }
        }
    }

    /// <summary>Of an id that nobody is told: what may be there would be in its user's list, and count, for as long as it lives.</summary>
    private async ValueTask RemoveInVainAsync(string key)
    {
        try
        {
            await _store.DeleteAsync(key, null, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SessionStoreException)
        {
            // It expires.
        }
    }

    private SessionEndedException Undone(Session session)
    {
        session.MarkEnded();
        _logger.Undone();
        return new SessionEndedException();
    }

    /// <summary>Only the store knows the version of what it has just created, unless the version is the content.</summary>
    private void MarkCreated(Session session, SessionRecord record, Change? last) =>
        session.MarkStored(_layout is null ? record : record.WithVersion(_layout.VersionOf(record)), last, isVersionUnknown: _layout is null);

    /// <summary>
    /// Begins from what the commit before this one stored, or from the store where this request does not know the version, or has outlived the deadline
    /// that it knew: a session that others kept alive goes on, one that expired stays expired. A copy is enough for a write, which meets a conflict where it is
    /// old.
    /// </summary>
    /// <returns>
    /// The instant at which the session was alive. The new deadline counts from it, so that none is given to a session that expires meanwhile.
    /// </returns>
    private ValueTask<DateTimeOffset> GetFreshAsync(
        Session session, string key, SessionRecord? handedOn, bool isCopyEnough, CancellationToken cancellationToken)
    {
        if (handedOn is not null && (session.IsVersionUnknown || handedOn.Version != session.Record!.Version || handedOn.ExpiresAt != session.Record.ExpiresAt))
        {
            session.Rebase(handedOn);
        }

        var now = Time.GetUtcNow();
        return session.IsVersionUnknown || session.Record!.ExpiresAt <= now || (!isCopyEnough && _store.KeepsCopies)
            ? RebaseOnStoredAsync(session, key, cancellationToken)
            : new(now);
    }

    private DateTimeOffset RequireAlive(Session session, SessionRecord? fresh)
    {
        var now = Time.GetUtcNow();
        if (fresh is null || fresh.ExpiresAt <= now)
        {
            session.MarkEnded();
            throw new SessionEndedException();
        }

        return now;
    }

    private ValueTask TellAsync(SessionEventKind kind, Session session) =>
        _events.HasHandlers ? _events.RaiseAsync(kind, session.KnownHandle, session.KnownSubject) : default;

    async ValueTask ISessionOperations.RegenerateAsync(Session session, CancellationToken cancellationToken)
    {
        await DestroyAsync(session, cancellationToken).ConfigureAwait(false);
        session.BeginAnew();
    }

    private async ValueTask DestroyAsync(Session session, CancellationToken cancellationToken, SessionEndReason reason = SessionEndReason.Destroyed)
    {
        using var activity = SojournDiagnostics.Start("sojourn.destroy");
        var (handle, subject) = (session.KnownHandle, session.KnownSubject);
        var isDone = false;

        // express-session destroys what was never stored, too.
        if (session.Record is not null || Options.IsExpress)
        {
            var (key, _) = await EnterAsync(session, cancellationToken).ConfigureAwait(false);
            try
            {
                // What may have been renewed meanwhile is deleted in the version that is known, so that it is found out.
                var known =
                    _isKeyedById ? null : session.IsVersionUnknown ? await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false) : session.Record;
                isDone = await RemoveAsync(key, known, cancellationToken).ConfigureAwait(false);
                if (!isDone && handle is not null && Finder.FindsByLabel)
                {
                    // It may go on under an id that it was given since this request began. Its handle is the same.
                    await EndAsync(SessionLabels.Handle(handle), new SessionFilter { Handle = handle }, reason, cancellationToken).ConfigureAwait(false);
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
        }

        session.MarkDestroyed();
        if (isDone)
        {
            await TellEndedAsync(handle, subject, reason).ConfigureAwait(false);
        }
    }

    /// <summary>After a failure or a cancelled wait nobody knows what is stored: the failure that every later commit of the request reports.</summary>
    private static SessionStoreException? Unknown(Exception e) => e switch
    {
        SessionStoreException failure => failure,
        OperationCanceledException =>
            new SessionStoreException("The wait for the session store was cancelled. Whether the changes are stored is not known.", e),
        _ => null,
    };
}
