using Sojourn.Events;

namespace Sojourn.Administration;

/// <summary>Lists sessions and ends them from elsewhere: another device, an operator's page, a change of password, an identity provider. Thread-safe.</summary>
/// <remarks>
/// <para>What has ended does not come back: a request that runs in it gets 409 when it saves, and a sign-in or a renewal of the id that ran meanwhile is
/// undone.</para>
/// <para>Needs a store with an index (<see cref="Storage.ISessionIndex"/>) and labels: every native layout. In the layout of an npm store sessions can be paged
/// through and ended all together, and anything else throws <see cref="NotSupportedException"/>.</para>
/// </remarks>
public interface ISessionAdministration
{
    /// <summary>
    /// The sessions of a subject, the one that was used last first; those in which somebody acts as them, or they act as somebody, are among them.
    /// </summary>
    /// <param name="subject">The subject.</param>
    /// <param name="current">The session that asks, which is marked as current; <see langword="null"/> for none.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The sessions that have not expired.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no labels.</exception>
    ValueTask<IReadOnlyList<SessionInfo>> ListAsync(string subject, Session? current = null, CancellationToken cancellationToken = default);

    /// <summary>The session of a handle.</summary>
    /// <param name="handle">The handle.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The session; <see langword="null"/> when there is none, or it has expired.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no labels.</exception>
    ValueTask<SessionInfo?> FindAsync(string handle, CancellationToken cancellationToken = default);

    /// <summary>Walks through all sessions that have not expired, in no meaningful order.</summary>
    /// <param name="after">Where the page before ended (<see cref="SessionPage.Next"/>); <see langword="null"/> for the first page.</param>
    /// <param name="limit">How many records to look at, 1 to 1,000; a page may hold fewer sessions.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The page.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no index.</exception>
    ValueTask<SessionPage> PageAsync(string? after = null, int limit = 100, CancellationToken cancellationToken = default);

    /// <summary>
    /// How many sessions are stored, those that have expired and are not removed yet among them, and, where ids renew themselves, the forwarding records of ids
    /// that were renewed.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>How many.</returns>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no index.</exception>
    ValueTask<long> CountAsync(CancellationToken cancellationToken = default);

    /// <summary>Ends the sessions that a filter names.</summary>
    /// <param name="filter">Which; at least one of its members must be set. Where several are set, all must hold.</param>
    /// <param name="reason">What handlers of events are told.</param>
    /// <param name="cancellationToken">Ends the wait for the store; what had ended by then has ended.</param>
    /// <returns>How many ended.</returns>
    /// <exception cref="ArgumentException">Nothing is set in the filter: it would match every session. <see cref="EndEverythingAsync"/> does that.</exception>
    /// <exception cref="SessionStoreException">The store failed: some may have ended.</exception>
    /// <exception cref="NotSupportedException">The store has no labels.</exception>
    ValueTask<int> EndAsync(SessionFilter filter, SessionEndReason reason = SessionEndReason.ByOperator, CancellationToken cancellationToken = default);

    /// <summary>Ends all sessions of a session's subject but that one, as after a change of password.</summary>
    /// <param name="current">The session that stays.</param>
    /// <param name="reason">What handlers of events are told.</param>
    /// <param name="cancellationToken">Ends the wait for the store; what had ended by then has ended.</param>
    /// <returns>How many ended.</returns>
    /// <exception cref="InvalidOperationException">Nobody is signed in to the session.</exception>
    /// <exception cref="SessionStoreException">The store failed: some may have ended.</exception>
    /// <exception cref="NotSupportedException">The store has no labels.</exception>
    ValueTask<int> EndOthersAsync(Session current, SessionEndReason reason = SessionEndReason.ByUser, CancellationToken cancellationToken = default);

    /// <summary>Ends every session of the application's store that was there when this began.</summary>
    /// <param name="reason">What handlers of events are told.</param>
    /// <param name="cancellationToken">Ends the wait for the store; what had ended by then has ended.</param>
    /// <returns>How many ended.</returns>
    /// <exception cref="SessionStoreException">The store failed: some may have ended.</exception>
    /// <exception cref="NotSupportedException">The store has no index.</exception>
    ValueTask<long> EndEverythingAsync(SessionEndReason reason = SessionEndReason.ByOperator, CancellationToken cancellationToken = default);
}

/// <summary>Some of all sessions.</summary>
/// <param name="Sessions">The sessions.</param>
/// <param name="Next">What to ask for the next page with; <see langword="null"/> when this was the last. Opens nothing.</param>
public sealed record SessionPage(IReadOnlyList<SessionInfo> Sessions, string? Next);

/// <summary>Names sessions. Where several members are set, all must hold.</summary>
public sealed record SessionFilter
{
    /// <summary>The session of this handle.</summary>
    public string? Handle { get; init; }

    /// <summary>The sessions of this subject: also those in which they act as somebody, or somebody acts as them.</summary>
    public string? Subject { get; init; }

    /// <summary>The sessions that were given this label at sign-in (<see cref="SessionSignIn.Labels"/>), such as <c>sid:…</c>.</summary>
    public string? Label { get; init; }

    /// <summary>Not the session of this handle. Alone it names nothing.</summary>
    public string? Except { get; init; }
}
