namespace Sojourn.Storage;

/// <summary>
/// Keeps records under keys: five verbs, each atomic. A store knows nothing of ids, cookies, requests or the application's types.
/// </summary>
/// <remarks>
/// <para>All members are called from many threads at once. A verb either returns its answer or throws whatever the driver throws;
/// an exception leaves the outcome unknown, and the engine treats it as a failure.</para>
/// <para>A store never judges an expiry: it returns records that are past theirs for as long as it has them, and the engine decides.
/// The expiry only tells a store when it may clean up.</para>
/// <para>Every store is held to the conformance suite of the package <c>Sojourn.Testing</c>.</para>
/// </remarks>
public interface ISessionStore
{
    /// <summary>Reads the record under a key, also one that is past its expiry, while it is there.</summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The record with its version, or <see langword="null"/> when there is none.</returns>
    ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken);

    /// <summary>Stores a record under a key that has none. Index entries for its labels are written before the record.</summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="record">What to store; its version is ignored, the store gives one that it never gives again to this key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns><see langword="false"/> when the key exists already (also as a record past its expiry); nothing is changed then.</returns>
    ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken);

    /// <summary>Replaces document, expiry and labels, if the record still has the version of <paramref name="current"/>.</summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="current">The record as it was read: its version is the condition.</param>
    /// <param name="next">What to store; its version is ignored.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// <see cref="WriteOutcome.Done"/>, with the stored record when the store knows its version without another round trip;
    /// <see cref="WriteOutcome.Conflict"/> when the version is another, with the fresh record when the store has it at hand;
    /// <see cref="WriteOutcome.Gone"/> when no record is there: it is never made again.
    /// </returns>
    ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken);

    /// <summary>
    /// Moves the expiry of the record, if it still has the version of <paramref name="current"/>. The version stays as it is,
    /// so a touch makes no writer conflict.
    /// </summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="current">The record as it was read: its version is the condition.</param>
    /// <param name="expiresAt">The new expiry.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>As <see cref="ReplaceAsync"/>.</returns>
    ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken);

    /// <summary>Deletes a record. Index entries for its labels are removed after the record.</summary>
    /// <param name="key">What the record is filed under.</param>
    /// <param name="current">The record as it was read: its version is the condition. <see langword="null"/>: whatever is there.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// <see cref="WriteOutcome.Done"/>; <see cref="WriteOutcome.Gone"/> when no record was there; <see cref="WriteOutcome.Conflict"/>,
    /// only with <paramref name="current"/>, when the version is another, with the fresh record when the store has it at hand.
    /// </returns>
    ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken);

    /// <summary>
    /// What the store can do besides: <see cref="ISessionIndex"/>, <see cref="IExpiringStore"/>, <see cref="ISubjectRegistry"/>, <see cref="ISessionLease"/>,
    /// <see cref="ISessionNotifications"/>, <see cref="ISchemaStore"/>, <see cref="INodeLayout"/>. By default the interfaces that it implements; a store around
    /// another answers what holds for both.
    /// </summary>
    /// <typeparam name="T">The interface.</typeparam>
    /// <returns>Who does it, or <see langword="null"/> when it cannot be done.</returns>
    T? As<T>()
        where T : class => this as T;
}
