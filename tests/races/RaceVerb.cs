using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>
/// What an actor does to the session, and what may become of it thereby. A further verb is a further line here: what is checked follows from what it says of
/// itself.
/// </summary>
internal sealed record RaceVerb(string Name, Func<Actor, Task> Act)
{
    public static readonly RaceVerb[] All =
    [
        new("write", static actor => actor.RequestAsync(session =>
        {
            session.Set(actor.EntryName, actor.Number);
            session.Update<int>("count", static count => count + 1);
            return default;
        }))
        { Writes = true },
        new("touch", static actor => actor.RequestAsync(static _ => default)),
        new("renew", static actor => actor.RequestAsync(static session => session.RenewIdAsync())) { GivesNewId = true },
        new("sign in", static actor => actor.RequestAsync(session => session.SignInAsync(actor.Race.Subject))) { GivesNewId = true, SignsIn = true },
        new("sign out", static actor => actor.RequestAsync(static session => session.DestroyAsync(SessionEndReason.SignedOut, CancellationToken.None)))
        {
            Ends = SessionEndReason.SignedOut,
        },
        new("destroy", static actor => actor.RequestAsync(static session => session.DestroyAsync())) { Ends = SessionEndReason.Destroyed },
        new("expire", static async actor =>
        {
            await actor.PassDeadlineAsync();
            await actor.RequestAsync(static _ => default);
        })
        { PassesDeadline = true },
        new("evict", static actor => actor.BeginAsync(session => session.SignInAsync(actor.Race.Subject)))
        {
            Ends = SessionEndReason.TooMany,
            BeginsAnother = true,
        },
        new("prune", static async actor =>
        {
            await actor.PassDeadlineAsync();
            await actor.Process.Store.As<IExpiringStore>()!.PruneAsync(actor.Race.Clock.GetUtcNow(), CancellationToken.None);
        })
        { PassesDeadline = true, Prunes = true },
        new("migrate", static async actor =>
        {
            // As any request moves a session that is still in the old store.
            var (store, key) = (actor.Process.Store, actor.Process.Sessions.KeyOf(actor.Race.Id));
            if (await store.ReadAsync(key, CancellationToken.None) is { } record)
            {
                await store.TouchAsync(key, record, record.ExpiresAt, CancellationToken.None);
            }
        })
        { Migrates = true },
        new("renew itself", static actor => actor.RequestAsync(static _ => default)) { RenewsItself = true },
    ];

    /// <summary>Changes entries: the one of <see cref="Actor.EntryName"/>, and the count.</summary>
    public bool Writes { get; init; }

    /// <summary>The session has a new id when it returns.</summary>
    public bool GivesNewId { get; init; }

    /// <summary>The session belongs to the subject when it returns.</summary>
    public bool SignsIn { get; init; }

    /// <summary>The session is no more when it returns; for this reason.</summary>
    public SessionEndReason? Ends { get; init; }

    /// <summary>Signs the subject in to another session; theirs is one too many then.</summary>
    public bool BeginsAnother { get; init; }

    /// <summary>The clock passes the deadline that the session has at the start.</summary>
    public bool PassesDeadline { get; init; }

    /// <summary>Removes what has expired, of which nobody is told.</summary>
    public bool Prunes { get; init; }

    /// <summary>The session is in an old store at the start, and moves to the new one.</summary>
    public bool Migrates { get; init; }

    /// <summary>The id is renewed by whichever request comes upon it.</summary>
    public bool RenewsItself { get; init; }

    /// <summary>Whether another actor may find that the session has ended, or is not called so any more.</summary>
    public bool MayTakeAway => GivesNewId || Ends is not null || PassesDeadline;

    public override string ToString() => Name;
}
