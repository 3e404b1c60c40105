namespace Sojourn.Events;

/// <summary>Hears what happens to sessions, in this process. Registered by <c>AddEventHandler</c> or <c>AddEventChannel</c> of the builder.</summary>
public interface ISessionEventHandler
{
    /// <summary>
    /// Called after it happened, on the request that did it, which waits; several may run at once. What it throws is logged and changes nothing: a session that
    /// ended has ended.
    /// </summary>
    /// <param name="sessionEvent">What happened.</param>
    /// <param name="cancellationToken">Never cancelled by a client that went away.</param>
    /// <returns>When it is done.</returns>
    ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken);
}
