using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>
/// Loads sessions and saves them: the one place that knows how a request's changes become the stored session without losing anybody else's.
/// Thread-safe.
/// </summary>
public sealed class SessionManager : ISessionOperations
{
    private const int MaxAttempts = 24;
    private const int MaxRenewAttempts = 5;
    private readonly TimedStore _store;
    private readonly SessionId _ids;
    private readonly SessionMetrics _metrics;
    private readonly ILogger _logger;
    private readonly KeyedQueue<SessionRecord> _commits = new();

    internal SessionManager(ISessionStore store, IOptions<SojournOptions> options, TimeProvider time, SessionMetrics metrics, ILogger<SessionManager> logger)
    {
        Options = options.Value;
        Time = time;
        _store = new TimedStore(store, Options.StoreTimeout, time, metrics);
        _ids = new SessionId(Options.ApplicationName);
        _metrics = metrics;
        _logger = logger;
    }

    internal SojournOptions Options { get; }

    internal TimeProvider Time { get; }

    SojournOptions ISessionOperations.Options => Options;

    TimeProvider ISessionOperations.Time => Time;

    /// <summary>Begins a session. It has an id and no record: it is stored when something is put into it and it is saved.</summary>
    /// <returns>The session.</returns>
    public Session Create() => Create(null);

    /// <summary>Loads the session of an id, for use outside a request. An unknown id is never adopted.</summary>
    /// <param name="id">The id, as <see cref="Session.Id"/> gives it.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The session, or <see langword="null"/> when there is none: never stored, ended, expired, or not readable.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<Session?> LoadAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        return LoadAsync(id, KeyOf(id), null, cancellationToken);
    }

    /// <summary>Saves what was changed, or else moves the idle deadline where that is due: what a request does at its end.</summary>
    /// <param name="session">The session.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the changes are stored is then not known.</param>
    /// <exception cref="SessionEndedException">The session ended meanwhile, and there were changes to save.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="SessionTooLargeException">The session would not fit; the stored session is unchanged.</exception>
    public ValueTask CommitAsync(Session session, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (session.Failure is { } failure)
        {
            throw failure;
        }

        switch (session.State)
        {
            case SessionState.Unset when Options.Unset == UnsetBehavior.Destroy:
                return DestroyAsync(session, cancellationToken);
            case SessionState.Unset or SessionState.Destroyed:
                return default;
            case SessionState.Ended:
                return session.CollectChanges() ? throw new SessionEndedException() : default;
        }

        var isChanged = session.CollectChanges();
        if (session.Record is not { } record)
        {
            return session.IsWorthStoring && (isChanged || Options.SaveUninitialized) ? WriteAsync(session, isResave: false, cancellationToken) : default;
        }

        if (isChanged)
        {
            return WriteAsync(session, isResave: false, cancellationToken);
        }

        if (session.IsReadOnly && !session.IsTouchAsked)
        {
            return TouchIfDueAsync(session, record, cancellationToken);
        }

        return Options.Resave && !session.WasWritten ? WriteAsync(session, isResave: true, cancellationToken) : TouchIfDueAsync(session, record, cancellationToken);
    }

    internal Session Create(ISessionHost? host) => new(this, host);

    internal async ValueTask<Session?> LoadAsync(string id, string key, ISessionHost? host, CancellationToken cancellationToken)
    {
        if (await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false) is not { } record)
        {
            _metrics.TokenRefused("unknown");
            _logger.UnknownId();
            return null;
        }

        var document = SessionDocument.Parse(record.Document);
        var metadata = document is null ? null : SessionMetadata.Parse(document.Metadata);
        if (document is null || metadata is null)
        {
            _metrics.Unreadable();
            _logger.UnreadableDocument(Start(key));
            return null;
        }

        var now = Time.GetUtcNow();
        if (record.ExpiresAt > now && (metadata.AbsoluteExpiresAt is not { } absolute || absolute > now))
        {
            return new Session(this, host, id, key, record, document, metadata);
        }

        _metrics.Ended("expired");
        try
        {
            await _store.DeleteAsync(key, record, cancellationToken).ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            _logger.ExpiredNotRemoved(Start(key), e);
        }

        return null;
    }

    internal string KeyOf(string id) => _ids.KeyOf(id);

    string ISessionOperations.KeyOf(string id) => KeyOf(id);

    ValueTask ISessionOperations.SaveAsync(Session session, bool evenIfEmpty, CancellationToken cancellationToken)
    {
        if (session.Failure is { } failure)
        {
            throw failure;
        }

        if (session.State == SessionState.Ended)
        {
            throw new SessionEndedException();
        }

        var isChanged = session.CollectChanges();
        return session.Record is null ? (evenIfEmpty || session.IsWorthStoring ? WriteAsync(session, isResave: false, cancellationToken) : default)
            : isChanged || evenIfEmpty ? WriteAsync(session, isResave: !isChanged, cancellationToken)
            : default;
    }

    async ValueTask ISessionOperations.ReloadAsync(Session session, CancellationToken cancellationToken)
    {
        var fresh = await _store.ReadAsync(session.Key, cancellationToken).ConfigureAwait(false);
        if (fresh is null || fresh.ExpiresAt <= Time.GetUtcNow())
        {
            session.MarkEnded();
            throw new SessionEndedException();
        }

        session.MarkReloaded(fresh);
    }

    async ValueTask ISessionOperations.RegenerateAsync(Session session, CancellationToken cancellationToken)
    {
        await DestroyAsync(session, cancellationToken).ConfigureAwait(false);
        session.BeginAnew();
    }

    ValueTask ISessionOperations.DestroyAsync(Session session, CancellationToken cancellationToken) => DestroyAsync(session, cancellationToken);

    async ValueTask ISessionOperations.RenewIdAsync(Session session, string? subject, CancellationToken cancellationToken)
    {
        if (session.Failure is not null)
        {
            throw session.Failure;
        }

        session.CollectChanges();
        if (subject is not null)
        {
            session.SetSubject(subject);
        }

        var newId = SessionId.New();
        var newKey = KeyOf(newId);
        if (session.Record is null)
        {
            session.TakeId(newId, newKey);
            return;
        }

        var oldKey = session.Key;
        var handedOn = await _commits.EnterAsync(oldKey, cancellationToken).ConfigureAwait(false);
        try
        {
            var now = await GetFreshAsync(session, oldKey, handedOn, cancellationToken).ConfigureAwait(false);
            await MoveAsync(session, oldKey, newId, newKey, now, cancellationToken).ConfigureAwait(false);
            _metrics.Ended("renewed");
        }
        catch (Exception e) when (Unknown(e) is { } failure)
        {
            session.Failure = failure;
            throw;
        }
        finally
        {
            _commits.Leave(oldKey, null);
        }
    }

    /// <summary>After a failure or a cancelled wait nobody knows what is stored: the failure that every later commit of the request reports.</summary>
    private static SessionStoreException? Unknown(Exception e) => e switch
    {
        SessionStoreException failure => failure,
        OperationCanceledException => new SessionStoreException("The wait for the session store was cancelled. Whether the changes are stored is not known.", e),
        _ => null,
    };

    private static string Start(string key) => key.Length <= 8 ? key : key[..8];

    /// <summary>Creates the record under the new key, then removes the old one: never the other way, so that a crash in between signs nobody out.</summary>
    private async ValueTask MoveAsync(Session session, string oldKey, string newId, string newKey, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (record, changes) = session.TakeBatch(now);
        if (!await _store.CreateAsync(newKey, record, cancellationToken).ConfigureAwait(false))
        {
            throw new SessionStoreException("The new id's key is taken.");
        }

        // From here on the visitor has the new id, whatever becomes of the old record.
        session.TakeId(newId, newKey);
        for (var attempt = 1; ; attempt++)
        {
            var condition = attempt < MaxRenewAttempts ? session.Record : null;
            var deleted = await _store.DeleteAsync(oldKey, condition, cancellationToken).ConfigureAwait(false);
            if (deleted.Outcome == WriteOutcome.Done)
            {
                session.MarkStored(record, changes, isVersionUnknown: true);
                return;
            }

            var late = deleted.Outcome == WriteOutcome.Gone
                ? null
                : deleted.Record ?? await _store.ReadAsync(oldKey, cancellationToken).ConfigureAwait(false);
            if (late is null)
            {
                // Destroyed meanwhile, and so must its successor be.
                await _store.DeleteAsync(newKey, null, cancellationToken).ConfigureAwait(false);
                session.MarkEnded();
                throw new SessionEndedException();
            }

            // A writer of the old id was faster: its work goes into the new record before the old one is removed.
            session.Rebase(late);
            (record, changes) = session.TakeBatch(now);
            var stored = await _store.ReadAsync(newKey, cancellationToken).ConfigureAwait(false);
            if (stored is null || (await _store.ReplaceAsync(newKey, stored, record, cancellationToken).ConfigureAwait(false)).Outcome != WriteOutcome.Done)
            {
                throw new SessionStoreException("The record of the new id was changed before anybody knew the id.");
            }
        }
    }

    /// <summary>The one compare-and-swap: on a conflict the changes are done again to the fresh record, and nothing is written over one that is gone.</summary>
    private async ValueTask WriteAsync(Session session, bool isResave, CancellationToken cancellationToken)
    {
        var key = session.Key;
        SessionRecord? handOn = null;
        var handedOn = await _commits.EnterAsync(key, cancellationToken).ConfigureAwait(false);
        try
        {
            if (session.Record is null)
            {
                await CreateAsync(session, key, cancellationToken).ConfigureAwait(false);
                return;
            }

            var now = await GetFreshAsync(session, key, handedOn, cancellationToken).ConfigureAwait(false);
            for (var attempt = 1; ; attempt++)
            {
                var (record, changes) = session.TakeBatch(now);
                var result = await _store.ReplaceAsync(key, session.Record!, record, cancellationToken).ConfigureAwait(false);
                if (result.Outcome == WriteOutcome.Done)
                {
                    handOn = result.Record;
                    session.MarkStored(result.Record ?? record, changes, isVersionUnknown: result.Record is null);
                    return;
                }

                var fresh = result.Outcome == WriteOutcome.Gone ? null : result.Record ?? await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false);
                if (isResave)
                {
                    // Nothing of this request's own is lost, whatever the other request did.
                    return;
                }

                now = RequireAlive(session, fresh);
                _metrics.Conflict();
                session.Rebase(fresh!);
                if (attempt == MaxAttempts)
                {
                    throw new SessionConflictException(attempt);
                }

                if (attempt > 2)
                {
                    // By the real clock: a clock that an application's test holds still must not hold up a retry.
                    await Task.Delay(RandomNumberGenerator.GetInt32(1, Math.Min(1 << attempt, 50)), cancellationToken).ConfigureAwait(false);
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
        }
    }

    private async ValueTask CreateAsync(Session session, string key, CancellationToken cancellationToken)
    {
        var (record, changes) = session.TakeBatch(Time.GetUtcNow());
        if (!await _store.CreateAsync(key, record, cancellationToken).ConfigureAwait(false))
        {
            throw new SessionStoreException("The new session's key is taken.");
        }

        session.MarkStored(record, changes, isVersionUnknown: true);
        _metrics.Created();
    }

    /// <summary>
    /// Begins from what the commit before this one stored, or from the store where this request does not know the version, or has outlived the deadline
    /// that it knew: a session that others kept alive goes on, one that expired stays expired.
    /// </summary>
    /// <returns>The instant at which the session was alive. The new deadline counts from it, so that none is given to a session that expires meanwhile.</returns>
    private async ValueTask<DateTimeOffset> GetFreshAsync(Session session, string key, SessionRecord? handedOn, CancellationToken cancellationToken)
    {
        if (handedOn is not null && (session.IsVersionUnknown || handedOn.Version != session.Record!.Version || handedOn.ExpiresAt != session.Record.ExpiresAt))
        {
            session.Rebase(handedOn);
        }

        var now = Time.GetUtcNow();
        if (session.IsVersionUnknown || session.Record!.ExpiresAt <= now)
        {
            var fresh = await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false);
            now = RequireAlive(session, fresh);
            session.Rebase(fresh!);
        }

        return now;
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

    private ValueTask TouchIfDueAsync(Session session, SessionRecord record, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (session.IsVersionUnknown || record.ExpiresAt <= now)
        {
            // Just stored, or outlived by this very request: there is nothing to keep alive.
            return default;
        }

        var expiresAt = session.FreshExpiry(now);
        var interval = session.IsTouchAsked ? TimeSpan.Zero : Options.EffectiveTouchInterval;
        return Deadlines.TouchIsDue(record.ExpiresAt, expiresAt, interval) ? TouchAsync(session, record, expiresAt, cancellationToken) : default;
    }

    private async ValueTask TouchAsync(Session session, SessionRecord record, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        try
        {
            var result = await _store.TouchAsync(session.Key, record, expiresAt, cancellationToken).ConfigureAwait(false);
            if (result.Outcome == WriteOutcome.Done)
            {
                session.MarkTouched(result.Record ?? record.WithExpiry(expiresAt));
            }
            else if (result.Outcome == WriteOutcome.Gone)
            {
                session.MarkEnded();
            }
        }
        catch (SessionStoreException e)
        {
            _logger.TouchFailed(Start(session.Key), e);
        }
    }

    private async ValueTask DestroyAsync(Session session, CancellationToken cancellationToken)
    {
        if (session.Record is not null)
        {
            var key = session.Key;
            await _commits.EnterAsync(key, cancellationToken).ConfigureAwait(false);
            try
            {
                if ((await _store.DeleteAsync(key, null, cancellationToken).ConfigureAwait(false)).Outcome == WriteOutcome.Done)
                {
                    _metrics.Ended("destroyed");
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
    }
}
