namespace Sojourn.Storage;

/// <summary>What happened to a record.</summary>
public enum SessionNotificationKind
{
    /// <summary>It was replaced.</summary>
    Changed,

    /// <summary>It was deleted, whoever did it. One that only expired is not told of: its deadline is known to all.</summary>
    Ended,

    /// <summary>Notifications may have been lost: anything may have happened to any record since the last one.</summary>
    Missed,
}

/// <summary>News of one record, or, where something was missed, of all.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Key">What the record is filed under; <see langword="null"/> with <see cref="SessionNotificationKind.Missed"/>.</param>
public readonly record struct SessionNotification(SessionNotificationKind Kind, string? Key)
{
    /// <summary>
    /// The version that a record which was replaced has since, where the store tells it: whoever has the record in that version knows what happened.
    /// <see langword="null"/>, the default, where it is not told, and for what ended.
    /// </summary>
    public SessionVersion? Version { get; init; }
}

/// <summary>What a store is besides, that tells of records which were replaced or deleted by any process, this one included.</summary>
/// <remarks>
/// News comes after the write took effect, soon, in no order between keys, and at least once unless the connection fails: then
/// <see cref="SessionNotificationKind.Missed"/> is told as soon as it stands again. A touch is not told of.
/// </remarks>
public interface ISessionNotifications
{
    /// <summary>Listens until the returned object is disposed of.</summary>
    /// <param name="handler">Called for each notification, one at a time; it must be quick and must not throw.</param>
    /// <param name="cancellationToken">Ends the wait for the subscription to stand; not the subscription.</param>
    /// <returns>The subscription. Writes that begin after it was returned are told of.</returns>
    /// <exception cref="InvalidOperationException">The store was configured not to notify; the message names the option.</exception>
    ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken);
}
