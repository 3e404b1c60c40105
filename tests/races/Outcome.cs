using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Subjects;

namespace Sojourn.Races;

/// <summary>
/// What a race left behind, held against what its actors were told: nothing comes back, nothing acknowledged is lost, nobody has a dead id, limits hold, and
/// each event was told once and with a reason that one of the verbs explains.
/// </summary>
internal sealed class Outcome(Race race)
{
    private readonly List<string> _wrong = [];
    private readonly List<(string Key, SessionInfo Session)> _alive = [];
    private readonly Actor[] _actors = race.Actors;

    private IEnumerable<Actor> Done => _actors.Where(actor => actor.IsDone);

    /// <returns>What is wrong; empty when nothing is.</returns>
    public async Task<IReadOnlyList<string>> JudgeAsync()
    {
        foreach (var key in race.Course.Keys.All)
        {
            await LookAsync(key);
        }

        Require(!race.Course.Keys.HasRevived, "The session had expired, and was given a new deadline.");
        JudgeAnswers();
        var survivor = JudgeLife();
        JudgeOthers();
        await JudgeIdsAsync(survivor?.Key);
        JudgeEvents(survivor is not null);
        if (survivor is { } alive)
        {
            await JudgeDocumentAsync(alive.Session);
        }

        await JudgeIndexAsync();
        return _wrong;
    }

    private void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            _wrong.Add(otherwise);
        }
    }

    private async Task LookAsync(string key)
    {
        var record = await race.Course.Store.ReadAsync(key, CancellationToken.None);
        if (race.IsMigration && await race.Course.Old.ReadAsync(key, CancellationToken.None) is { } old)
        {
            Require(record is null, "A record is in the old store and in the new one.");
            record ??= old;
        }

        if (record is not null && !MigratingStore.IsTombstone(record) && race.Observer.Sessions.Finder.DescribeLive(key, record) is { } session)
        {
            _alive.Add((key, session));
        }
    }

    /// <summary>Nobody is told that the session has ended unless the other may have ended it, or renewed its id.</summary>
    private void JudgeAnswers()
    {
        foreach (var actor in _actors.Where(actor => !actor.IsDone))
        {
            Require(
                Array.Exists(_actors, other => other != actor && other.Verb.MayTakeAway) || actor.Verb.PassesDeadline,
                $"{actor.Verb} was told {actor.Answer.Outcome} for no reason.");
        }
    }

    private (string Key, SessionInfo Session)? JudgeLife()
    {
        var ours = _alive.FindAll(each => each.Session.Handle == race.Handle);
        Require(ours.Count < 2, "The session lives under two ids.");
        var isAlive = ours.Count > 0;
        if (isAlive)
        {
            Require(!Done.Any(actor => actor.Verb.Ends is not null && !actor.Verb.BeginsAnother), "The session was ended, and lives.");
        }
        else
        {
            Require(
                _actors.Any(actor => actor.Verb.PassesDeadline || (actor.Verb.Ends is not null && actor.Answer.Outcome != RaceOutcome.Stranger)),
                "The session is gone, and nobody ended it.");
            Require(
                _actors.Any(actor => actor.Verb.Ends is not null) || !Done.Any(actor => actor.Verb.Writes || actor.Verb.GivesNewId),
                "The session has expired, and was used before.");
        }

        return isAlive ? ours[0] : null;
    }

    /// <summary>Limits, and the sessions that were begun beside.</summary>
    private void JudgeOthers()
    {
        Require(_alive.Count(each => each.Session.Subject == race.Subject) <= Race.Limit, "The subject has more sessions than they may.");
        var begun = Done.Where(actor => actor.Verb.BeginsAnother).Select(actor => actor.Answer.Handle).ToList();
        Require(_alive.TrueForAll(each => each.Session.Handle == race.Handle || begun.Contains(each.Session.Handle)), "There is a session that nobody has.");
        if (begun.Count > 0)
        {
            var mayEnd = _actors.Count(actor => actor.Verb.BeginsAnother || actor.Verb.SignsIn) > 1;
            Require(_alive.Exists(each => begun.Contains(each.Session.Handle)) || mayEnd, "The session that was begun is gone.");
            Require(
                _alive.Exists(each => each.Session.Subject == race.Subject) || Array.Exists(_actors, actor => !actor.IsDone),
                "The subject signed in, and has no session.");
        }
    }

    private void JudgeEvents(bool isAlive)
    {
        var events = race.Course.Events.Of(race.Handle);
        var ends = events.Where(each => each.Kind is SessionEventKind.Ended or SessionEventKind.Expired).ToList();
        if (isAlive)
        {
            Require(ends.Count == 0, "The end of a session that lives was told.");
        }
        else
        {
            var isSilent = _actors.Any(actor => actor.Verb.Prunes);
            Require(ends.Count == 1 || (isSilent && ends.Count == 0), $"The end was told {ends.Count} times.");
        }

        foreach (var end in ends)
        {
            Require(
                end.Kind == SessionEventKind.Expired ? _actors.Any(actor => actor.Verb.PassesDeadline) : _actors.Any(actor => actor.Verb.Ends == end.Reason),
                $"The end was told with a reason that nobody gave: {end.Reason}.");
        }

        RequireTold(
            SessionEventKind.Renewed, Done.Count(actor => actor.Verb is { GivesNewId: true, SignsIn: false }) + Renewed(byItself: true).Distinct().Count());
        RequireTold(SessionEventKind.SignedIn, Done.Count(actor => actor.Verb is { GivesNewId: true, SignsIn: true }));
        RequireTold(SessionEventKind.Created, 0);
        foreach (var actor in Done.Where(actor => actor.Verb.BeginsAnother))
        {
            var begun = race.Course.Events.Of(actor.Answer.Handle);
            Require(
                begun.Count(each => each.Kind == SessionEventKind.Created) == 1 && begun.Count(each => each.Kind == SessionEventKind.SignedIn) == 1,
                "A sign-in was not told once.");
            var ended = begun.Where(each => each.Kind is SessionEventKind.Ended or SessionEventKind.Expired).ToList();
            var lives = _alive.Exists(each => each.Session.Handle == actor.Answer.Handle);
            Require(
                ended.Count == (lives ? 0 : 1) && ended.TrueForAll(each => each.Reason == SessionEndReason.TooMany),
                $"The end of the other session was told {ended.Count} times.");
        }

        void RequireTold(SessionEventKind kind, int times)
        {
            var told = events.Count(each => each.Kind == kind);
            Require(told == times, $"{kind} was told {told} times, and happened {times} times.");
        }
    }

    /// <summary>
    /// Who was given a new id has one that answers, and no other does. Whatever is left of an expired session is removed hereby, and that is told.
    /// </summary>
    private async Task JudgeIdsAsync(string? aliveKey)
    {
        var sessions = race.Observer.Sessions;
        foreach (var actor in _actors)
        {
            var isGiven = actor.IsDone && (actor.Verb.GivesNewId || actor.Verb.BeginsAnother);
            var mayBeGiven = isGiven || (actor.IsDone && race.RenewsIds);
            Require(!isGiven || actor.Answer.NewId is not null, "No cookie was sent for the new id.");
            Require(mayBeGiven || actor.Answer.NewId is null, $"{actor.Verb} was {actor.Answer.Outcome}, and a cookie was sent.");
        }

        Require(Renewed(byItself: false).Distinct().Count() < 2 && Renewed(byItself: true).Distinct().Count() < 2, "The session was given two new ids.");
        Require(aliveKey is null || CurrentId != race.Id || !Done.Any(actor => actor.Verb.RenewsItself), "The id was due, and was not renewed.");
        Require(aliveKey is null || aliveKey == sessions.KeyOf(CurrentId), "The session lives under an id that no cookie holds.");
        foreach (var id in _actors.Select(actor => actor.Answer.NewId).OfType<string>().Append(race.Id).Distinct())
        {
            var answers = await sessions.LoadAsync(id) is not null;
            if (id == race.Id && CurrentId == Renewed(byItself: true).FirstOrDefault())
            {
                // Within the grace the old id leads to the session. The clock may have passed that.
                Require(
                    answers == (aliveKey is not null) || _actors.Any(actor => actor.Verb.PassesDeadline),
                    "The old id does not lead to the session, or leads elsewhere.");
                continue;
            }

            Require(
                answers == _alive.Exists(each => each.Key == sessions.KeyOf(id)),
                answers ? "A dead id answers." : "The id of a session that lives does not answer.");
        }
    }

    /// <summary>The id that the session has, or had last.</summary>
    private string CurrentId => Renewed(byItself: false).Concat(Renewed(byItself: true)).FirstOrDefault(race.Id);

    /// <summary>The ids that requests of the session were given.</summary>
    private IEnumerable<string> Renewed(bool byItself) =>
        Done.Where(actor => !actor.Verb.BeginsAnother && actor.Verb.GivesNewId != byItself).Select(actor => actor.Answer.NewId).OfType<string>();

    private async Task JudgeDocumentAsync(SessionInfo info)
    {
        if (await race.Observer.Sessions.LoadAsync(CurrentId) is not { } session)
        {
            return;
        }

        var writers = _actors.Where(actor => actor.Verb.Writes).ToList();
        Require(session.Get<bool>("begun"), "An entry from before is lost.");
        Require(
            session.Get<int>("count") == writers.Count(actor => actor.IsDone),
            $"The count is {session.Get<int>("count")} after {writers.Count(actor => actor.IsDone)} acknowledged updates.");
        foreach (var actor in writers)
        {
            Require(
                session.Contains(actor.EntryName) == actor.IsDone, actor.IsDone ? "An acknowledged change is lost." : "A change is there that was refused.");
        }

        var isSignedIn = race.IsSignedIn || Done.Any(actor => actor.Verb is { SignsIn: true, GivesNewId: true });
        Require(info.Subject == (isSignedIn ? race.Subject : null), "The session belongs to somebody else.");
    }

    /// <summary>Whatever lives is found by its labels, nothing else is, and no end is noted as under way.</summary>
    private async Task JudgeIndexAsync()
    {
        var sessions = race.Observer.Sessions;
        string[] labels = [SessionLabels.Handle(race.Handle), SessionLabels.Subject(race.Subject)];
        foreach (var label in labels)
        {
            var found = (await sessions.Finder.FindLiveAsync(label, CancellationToken.None)).Select(static each => each.Key).Order(StringComparer.Ordinal);
            var alive = _alive.Where(
                each =>
                    label == SessionLabels.Handle(each.Session.Handle!) || (each.Session.Subject is { } subject && label == SessionLabels.Subject(subject)));
            Require(
                found.SequenceEqual(alive.Select(static each => each.Key).Order(StringComparer.Ordinal)),
                $"The index differs from what is there: {label.Split(':')[0]}.");
            var entry = await race.Observer.Store.As<ISubjectRegistry>()!.ReadSubjectAsync(label, CancellationToken.None);
            Require(SubjectEntry.Parse(entry).Ends.Length == 0, "An end is under way for ever.");
        }
    }
}
