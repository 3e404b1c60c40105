using Sojourn.Ending;

namespace Sojourn;

/// <content>What is to be known of the sessions whose end somebody waits for.</content>
public sealed partial class SessionManager
{
    private readonly SessionWatcher _watcher;

    private SessionWatches Watches => _watcher.Watches;

    SessionWatcher ISessionOperations.Watcher => _watcher;

    /// <summary>Whether a session still exists, and under which key: the one place that follows a session to the id that another process gave it.</summary>
    /// <param name="key">What it was filed under when it was last looked at.</param>
    /// <param name="handle">Its name; <see langword="null"/> where it has none, and so cannot be followed.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>Where it is; <see langword="null"/> when it has ended.</returns>
    /// <exception cref="SessionStoreException">The store failed: nobody knows.</exception>
    internal async ValueTask<SessionPlace?> LocateAsync(string key, string? handle, CancellationToken cancellationToken)
    {
        var found = await FollowAsync(
            key, null, await _store.ReadAsync(key, cancellationToken).ConfigureAwait(false), inGrace: false, cancellationToken).ConfigureAwait(false);
        if (found.Record is not null)
        {
            return PlaceOf(found.Key, found.Record);
        }

        if (handle is null || !Finder.FindsByLabel)
        {
            return null;
        }

        // A session whose id was renewed once more just then may be missed: gone is only what is not found a second time.
        return await FindAsync(handle, cancellationToken).ConfigureAwait(false) ?? await FindAsync(handle, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Moves the idle deadline of a session that a connection keeps alive, where that is due.</summary>
    /// <returns>When the session ends now, and how long this lasts.</returns>
    internal async ValueTask<(DateTimeOffset ExpiresAt, TimeSpan TouchInterval)> KeepAliveAsync(SessionPlace place, CancellationToken cancellationToken)
    {
        var session = Finder.Open(place.Key, place.Record)!;
        await TouchIfDueAsync(session, place.Record, cancellationToken).ConfigureAwait(false);
        return (session.Record!.ExpiresAt, session.KeepAliveInterval);
    }

    private async ValueTask<SessionPlace?> FindAsync(string handle, CancellationToken cancellationToken)
    {
        foreach (var (key, record) in await Finder.FindRecordsAsync(SessionLabels.Handle(handle), cancellationToken).ConfigureAwait(false))
        {
            if (PlaceOf(key, record) is { } place && place.Handle == handle)
            {
                return place;
            }
        }

        return null;
    }

    private SessionPlace? PlaceOf(string key, Storage.SessionRecord record) => Finder.DescribeLive(key, record) is { } session
        ? new SessionPlace(
            key, record, session.Handle, session.AbsoluteExpiresAt is { } absolute && absolute < session.ExpiresAt ? absolute : session.ExpiresAt)
        : null;
}
