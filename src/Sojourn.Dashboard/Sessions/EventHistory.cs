using Sojourn.Events;

namespace Sojourn.Dashboard.Sessions;

/// <summary>The last events that this process saw, so many at the most. Thread-safe.</summary>
internal sealed class EventHistory(TimeProvider time) : ISessionListener
{
    public const int Capacity = 10_000;

    private readonly Lock _gate = new();
    private readonly Queue<(string Session, SessionEvent Event)> _events = new();

    /// <summary>When it began to listen.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();

    /// <summary>Whether the oldest had to go.</summary>
    public bool IsCut { get; private set; }

    public ISessionEventHandler For(string session) => new Handler(this, session);

    /// <summary>What happened to the session of a handle, the last first.</summary>
    public IReadOnlyList<SessionEvent> Of(string session, string handle)
    {
        lock (_gate)
        {
            return [.. _events.Where(each => each.Event.Handle == handle && each.Session == session).Select(each => each.Event).Reverse()];
        }
    }

    /// <summary>What happened last to the sessions of a name, the last first.</summary>
    public IReadOnlyList<SessionEvent> Last(string session, int count)
    {
        lock (_gate)
        {
            return [.. _events.Reverse().Where(each => each.Session == session).Take(count).Select(each => each.Event)];
        }
    }

    private void Add(string session, SessionEvent sessionEvent)
    {
        lock (_gate)
        {
            if (_events.Count == Capacity)
            {
                _events.Dequeue();
                IsCut = true;
            }

            _events.Enqueue((session, sessionEvent));
        }
    }

    private sealed class Handler(EventHistory history, string session) : ISessionEventHandler
    {
        public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
        {
            history.Add(session, sessionEvent);
            return default;
        }
    }
}
