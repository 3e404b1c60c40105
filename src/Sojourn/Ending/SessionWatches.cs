using Sojourn.Diagnostics;

namespace Sojourn.Ending;

/// <summary>Who waits for the end of which session in this process, and when each session is to be looked at next. Thread-safe; calls no store.</summary>
internal sealed class SessionWatches(TimeProvider time, SessionMetrics metrics, Action wake)
{
    private readonly Lock _sync = new();
    private readonly Dictionary<string, Watched> _byKey = new(StringComparer.Ordinal);
    private readonly SortedSet<Watched> _schedule = new(
        Comparer<Watched>.Create(static (one, other) => (one.LookAt, one.Number).CompareTo((other.LookAt, other.Number))));
    private long _lastNumber;

    /// <summary>When the next look is due; <see langword="null"/> when nobody waits.</summary>
    public DateTimeOffset? NextLook
    {
        get
        {
            lock (_sync) return _schedule.Min?.LookAt;
        }
    }

    /// <summary>Somebody waits for the end of a session that is stored. It is looked at once: it may have ended since it was loaded.</summary>
    public void Add(SessionWatch watch, string key)
    {
        lock (_sync)
        {
            if (watch.IsLeft)
            {
                return;
            }

            watch.Key = key;
            var watched = Find(key, watch.Handle);
            watched.Watches.Add(watch);
            LookBy(watched, time.GetUtcNow());
        }

        metrics.Watched(1);
        wake();
    }

    public void Remove(SessionWatch watch)
    {
        lock (_sync)
        {
            watch.IsLeft = true;
            if (watch.Key is not { } key || !_byKey.TryGetValue(key, out var watched) || !watched.Watches.Remove(watch))
            {
                return;
            }

            watch.Key = null;
            if (watched.Watches.Count == 0)
            {
                Forget(watched);
            }
        }

        metrics.Watched(-1);
    }

    /// <summary>The session has ended.</summary>
    public void HaveEnded(string key)
    {
        List<SessionWatch> ended;
        lock (_sync)
        {
            if (!_byKey.TryGetValue(key, out var watched))
            {
                return;
            }

            Forget(watched);
            ended = watched.Watches;
            ended.ForEach(static watch => watch.Key = null);
        }

        metrics.Watched(-ended.Count);
        ended.ForEach(static watch => watch.Fire());
    }

    /// <summary>The session has a new id. One that became another user's, and so has another name, has ended for those who waited.</summary>
    public void HaveMoved(string from, string to, string? handle)
    {
        lock (_sync)
        {
            if (!_byKey.TryGetValue(from, out var watched))
            {
                return;
            }

            if (watched.Handle is null || watched.Handle == handle)
            {
                Forget(watched);
                var there = Find(to, handle);
                watched.Watches.ForEach(watch => watch.Key = to);
                there.Watches.AddRange(watched.Watches);
                LookBy(there, time.GetUtcNow());
                wake();
                return;
            }
        }

        HaveEnded(from);
    }

    /// <summary>Something may have happened to the session.</summary>
    public void AskToLook(string key) => AskToLook(key, time.GetUtcNow());

    /// <summary>Something may have happened to it, which is looked at by then at the latest.</summary>
    public void AskToLook(string key, DateTimeOffset by)
    {
        lock (_sync)
        {
            if (!_byKey.TryGetValue(key, out var watched) || !LookBy(watched, by))
            {
                return;
            }
        }

        wake();
    }

    public void AskToLook(SessionWatch watch)
    {
        lock (_sync)
        {
            if (watch.Key is not { } key || !LookBy(_byKey[key], time.GetUtcNow()))
            {
                return;
            }
        }

        wake();
    }

    /// <summary>Anything may have happened to any session.</summary>
    public void AskToLookAtAll()
    {
        lock (_sync)
        {
            var now = time.GetUtcNow();
            foreach (var watched in _byKey.Values)
            {
                LookBy(watched, now);
            }
        }

        wake();
    }

    /// <summary>The sessions that are to be looked at now.</summary>
    public List<Look> TakeDue()
    {
        var due = new List<Look>();
        lock (_sync)
        {
            var now = time.GetUtcNow();
            while (_schedule.Min is { } first && first.LookAt <= now)
            {
                _schedule.Remove(first);
                first.IsLookedAt = true;
                first.LookAt = DateTimeOffset.MaxValue;
                due.Add(new Look(first, first.Key, first.Handle, first.Watches.Exists(static watch => watch.KeepsAlive)));
            }
        }

        return due;
    }

    /// <summary>A look is done: the session is alive, or could not be looked at.</summary>
    /// <param name="look">The look.</param>
    /// <param name="handle">The session's name, as it was found.</param>
    /// <param name="next">When to look again, unless somebody asked for it meanwhile.</param>
    public void Settle(Look look, string? handle, DateTimeOffset next)
    {
        var watched = look.Of;
        lock (_sync)
        {
            if (watched.IsLookedAt)
            {
                watched.IsLookedAt = false;
                watched.Handle ??= handle;
                watched.LookAt = next < watched.LookAt ? next : watched.LookAt;
                _schedule.Add(watched);
            }
        }
    }

    private Watched Find(string key, string? handle)
    {
        if (!_byKey.TryGetValue(key, out var watched))
        {
            _byKey.Add(key, watched = new Watched(++_lastNumber, key) { LookAt = DateTimeOffset.MaxValue });
            _schedule.Add(watched);
        }

        watched.Handle ??= handle;
        return watched;
    }

    /// <summary>One that is being looked at takes its place in the schedule afterwards.</summary>
    private bool LookBy(Watched watched, DateTimeOffset by)
    {
        if (watched.LookAt <= by)
        {
            return false;
        }

        _schedule.Remove(watched);
        watched.LookAt = by;
        return !watched.IsLookedAt && _schedule.Add(watched);
    }

    private void Forget(Watched watched)
    {
        _byKey.Remove(watched.Key);
        _schedule.Remove(watched);
        watched.IsLookedAt = false;
    }

    /// <summary>A look at a session, under the key and the name that it had when it was due.</summary>
    internal sealed record Look(Watched Of, string Key, string? Handle, bool KeepsAlive);

    /// <summary>A session whose end is waited for.</summary>
    internal sealed class Watched(long number, string key)
    {
        public long Number => number;

        public string Key => key;

        public string? Handle { get; set; }

        public DateTimeOffset LookAt { get; set; }

        /// <summary>Whether it was taken out of the schedule and is not back yet.</summary>
        public bool IsLookedAt { get; set; }

        public List<SessionWatch> Watches { get; } = [];
    }
}
