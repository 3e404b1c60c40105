using System.Threading.Channels;

namespace Sojourn.Events;

/// <summary>
/// Keeps events for a reader of the application's own, so that no request waits for it. When it is full, the oldest are dropped, and counted. Thread-safe.
/// </summary>
public sealed class SessionEventChannel : ISessionEventHandler
{
    private readonly Channel<SessionEvent> _channel;
    private long _dropped;

    /// <summary>Makes a channel.</summary>
    /// <param name="capacity">How many events it keeps at the most; 1 or more.</param>
    public SessionEventChannel(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _channel = Channel.CreateBounded<SessionEvent>(
            new BoundedChannelOptions(capacity) { FullMode = BoundedChannelFullMode.DropOldest },
            _ => Interlocked.Increment(ref _dropped));
    }

    /// <summary>Where the application reads events from.</summary>
    public ChannelReader<SessionEvent> Reader => _channel.Reader;

    /// <summary>How many events were dropped because nobody read them in time.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <inheritdoc/>
    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        _channel.Writer.TryWrite(sessionEvent);
        return default;
    }
}
