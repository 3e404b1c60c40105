using Sojourn.Administration;

namespace Sojourn.Subjects;

/// <summary>
/// Keeps a subject from having more sessions than they may: each sign-in takes a place in the subject's entry, by compare-and-swap, before its record is
/// created, and names the sessions that must end first. Thread-safe.
/// </summary>
internal sealed class SubjectPlaces(SubjectEpochs registry, SessionFinder finder, SojournOptions options, TimeProvider time)
{
    /// <summary>For so long a place without a record may belong to a sign-in that is about to create it.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Takes a place for the session that signs in.</summary>
    /// <returns>The handles of the sessions that must end before its record is created.</returns>
    /// <exception cref="SessionLimitException">There is no place, and the policy is to refuse.</exception>
    /// <exception cref="SessionStoreException">The store failed, or other sign-ins of the subject did not come to an end in time.</exception>
    public async ValueTask<IReadOnlyList<string>> TakeAsync(string subject, string handle, int limit, CancellationToken cancellationToken)
    {
        var label = SessionLabels.Subject(subject);
        var deadline = time.GetTimestamp();
        while (true)
        {
            var current = await registry.ReadAsync(label, cancellationToken).ConfigureAwait(false);
            var entry = SubjectEntry.Parse(current);
            var (alive, coming) = await LookAsync(subject, handle, entry, cancellationToken).ConfigureAwait(false);
            var tooMany = alive.Count + coming.Count + 1 - limit;
            if (tooMany > 0 && options.WhenTooManySessions == SessionLimitPolicy.Reject)
            {
                throw new SessionLimitException(limit);
            }

            if (tooMany <= alive.Count)
            {
                var victims = Order(alive).Take(Math.Max(tooMany, 0)).Select(static session => session.Handle!).ToList();
                var stay = alive.Where(session => !victims.Contains(session.Handle!, StringComparer.Ordinal));
                SubjectPlace[] places =
                [
                    .. stay.Select(static session => new SubjectPlace(session.Handle!, TakenAt: null)),
                    .. coming,
                    new(handle, time.GetUtcNow()),
                ];
                if (await registry.ReplaceAsync(label, current, entry with { Places = places }, cancellationToken).ConfigureAwait(false))
                {
                    return victims;
                }
            }
            else if (time.GetElapsedTime(deadline) > options.StoreTimeout)
            {
                throw new SessionStoreException("Other sign-ins of the user took all places and did not come to an end.");
            }
            else
            {
                // Those who took a place just now have it until they are signed in: only then can they be ended.
                await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The sign-in that took the place is done: from now on the place is worth as much as its session.</summary>
    public ValueTask SettleAsync(string subject, string handle) =>
        ChangeAsync(subject, places => Array.ConvertAll(places, place => place.Handle == handle ? place with { TakenAt = null } : place));

    /// <summary>Gives back the place of a sign-in that failed.</summary>
    public ValueTask GiveBackAsync(string subject, string handle) => ChangeAsync(subject, places => Array.FindAll(places, place => place.Handle != handle));

    private async ValueTask ChangeAsync(string subject, Func<SubjectPlace[], SubjectPlace[]> change)
    {
        try
        {
            await registry.ChangeAsync(
                SessionLabels.Subject(subject), entry => entry with { Places = change(entry.Places) }, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SessionStoreException)
        {
            // The place settles by itself.
        }
    }

    /// <summary>The subject's other sessions, and the places of those that are about to be.</summary>
    private async ValueTask<(List<SessionInfo> Alive, List<SubjectPlace> Coming)> LookAsync(
        string subject, string handle, SubjectEntry entry, CancellationToken cancellationToken)
    {
        var found = await finder.FindAsync(SessionLabels.Subject(subject), cancellationToken).ConfigureAwait(false);
        var alive = new List<SessionInfo>();
        foreach (var session in found)
        {
            Add(session);
        }

        var coming = new List<SubjectPlace>();
        foreach (var place in entry.Places)
        {
            if (place.Handle == handle || alive.Exists(session => session.Handle == place.Handle))
            {
                continue;
            }

            if (place.TakenAt is { } taken && time.GetUtcNow() - taken < Settling)
            {
                coming.Add(place);
                continue;
            }

            // A session whose id was renewed just then may have been missed: gone is only what is not found a second time.
            foreach (var session in await finder.FindAsync(SessionLabels.Handle(place.Handle), cancellationToken).ConfigureAwait(false))
            {
                Add(session);
            }
        }

        return (alive, coming);

        void Add(SessionInfo session)
        {
            // While its id is renewed a session has two records.
            if (session.Handle is not null
                && session.Handle != handle
                && session.Subject == subject
                && session.Impersonator is null
                && !alive.Exists(other => other.Handle == session.Handle))
            {
                alive.Add(session);
            }
        }
    }

    private IEnumerable<SessionInfo> Order(List<SessionInfo> sessions) => options.WhenTooManySessions == SessionLimitPolicy.EndOldest
        ? sessions.OrderBy(static session => session.SignedInAt)
        : sessions.OrderBy(static session => session.LastSeenAt);
}
