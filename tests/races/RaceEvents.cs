using Sojourn.Events;

namespace Sojourn.Races;

/// <summary>Keeps what it is told.</summary>
internal sealed class RaceEvents : ISessionEventHandler
{
    private readonly Lock _sync = new();
    private readonly List<SessionEvent> _events = [];

    public void Clear()
    {
        lock (_sync) _events.Clear();
    }

    public int Count(Func<SessionEvent, bool> isMeant)
    {
        lock (_sync) return _events.Count(isMeant);
    }

    public IReadOnlyList<SessionEvent> Of(string? handle)
    {
        lock (_sync) return [.. _events.Where(each => each.Handle == handle)];
    }

    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        lock (_sync) _events.Add(sessionEvent);
        return default;
    }
}
