using Sojourn.Document;
using Sojourn.Events;

namespace Sojourn;

/// <content>The verbs of the session as a whole: save, reload, touch, a new id, the end.</content>
public sealed partial class Session
{
    /// <summary>
    /// Saves what the request has changed so far, and an untouched new session as well. Needed only before something outside the response depends on it.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for the store; whether the changes are stored is then not known.</param>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="SessionTooLargeException">The session would not fit; the stored session is unchanged.</exception>
    public ValueTask SaveAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireWritable();
        }

        return _operations.SaveAsync(this, evenIfEmpty: true, cancellationToken);
    }

    /// <summary>Drops what the request has changed and not saved, and reads the session afresh.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionEndedException">The session is not there any more.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask ReloadAsync(CancellationToken cancellationToken = default) => _operations.ReloadAsync(this, cancellationToken);

    /// <summary>Moves the idle deadline at the end of this request, however fresh it is.</summary>
    public void Touch()
    {
        lock (_sync)
        {
            IsTouchAsked = true;
        }
    }

    /// <summary>Destroys the session and begins an empty one under a new id: express-session's regenerate.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only.</exception>
    public ValueTask RegenerateAsync(CancellationToken cancellationToken = default) => WithNewId(static (session, cancellationToken) =>
        session._operations.RegenerateAsync(session, cancellationToken), cancellationToken);

    /// <summary>Gives the session a new id and keeps its data. The old id is dead when this returns.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only or destroyed.</exception>
    public ValueTask RenewIdAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireWritable();
        }

        return WithNewId(static (session, cancellationToken) => session._operations.RenewIdAsync(session, cancellationToken), cancellationToken);
    }

    /// <summary>Destroys the session: its record is gone when this returns, its id never answers again, the browser's cookie is cleared.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionStoreException">The store failed: the session may still be there.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only.</exception>
    public ValueTask DestroyAsync(CancellationToken cancellationToken = default) => DestroyAsync(SessionEndReason.Destroyed, cancellationToken);

    internal ValueTask DestroyAsync(SessionEndReason reason, CancellationToken cancellationToken)
    {
        lock (_sync)
        {
            RequireNotReadOnly();
        }

        return _operations.DestroyAsync(this, reason, cancellationToken);
    }

    /// <summary>
    /// Forgets the session for the rest of the request, as setting <c>req.session</c> to null does; what becomes of the stored one is for
    /// <see cref="SojournOptions.Unset"/> to say.
    /// </summary>
    /// <exception cref="InvalidOperationException">The session is read-only.</exception>
    public void Unset()
    {
        lock (_sync)
        {
            RequireNotReadOnly();
            if (State == SessionState.Live)
            {
                State = SessionState.Unset;
                DropPending();
                _document = new SessionDocument();
            }
        }
    }

    private ValueTask WithNewId(Func<Session, CancellationToken, ValueTask> verb, CancellationToken cancellationToken)
    {
        RequireNewIdPossible();
        return verb(this, cancellationToken);
    }

    private void RequireNewIdPossible()
    {
        lock (_sync)
        {
            RequireNotReadOnly();
            if (_host is { CanSendCookie: false })
            {
                throw new InvalidOperationException(
                    "The response has started, so the new id cannot be sent to the visitor. Renew the id before the first byte is written.");
            }
        }
    }
}
