using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;

namespace Sojourn.Events;

/// <summary>Tells handlers what happened. Costs nothing where there are none. Thread-safe.</summary>
internal sealed class SessionEvents(IEnumerable<ISessionEventHandler> handlers, TimeProvider time, ILogger logger)
{
    private readonly ISessionEventHandler[] _handlers = [.. handlers];

    /// <summary>Whether anybody listens: sessions have a handle from the first on then, so that events of one session are known to be of one.</summary>
    public bool HasHandlers => _handlers.Length > 0;

    public ValueTask RaiseAsync(
        SessionEventKind kind, string? handle = null, string? subject = null, SessionEndReason? reason = null, SessionSuspicion? suspicion = null,
        string? by = null) =>
        HasHandlers
            ? TellAsync(new SessionEvent(kind, time.GetUtcNow()) { Handle = handle, Subject = subject, Reason = reason, Suspicion = suspicion, By = by })
            : default;

    private async ValueTask TellAsync(SessionEvent sessionEvent)
    {
        foreach (var handler in _handlers)
        {
            try
            {
                await handler.HandleAsync(sessionEvent, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                logger.EventHandlerFailed(sessionEvent.Kind, e);
            }
        }
    }
}
