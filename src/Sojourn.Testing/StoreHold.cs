namespace Sojourn.Testing;

/// <summary>One call that waits before its effect until the test lets it go on. Thread-safe.</summary>
public sealed class StoreHold
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal StoreHold()
    {
    }

    /// <summary>Completes when the call is there and waits; the store is unchanged by it then.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Lets the call go on, also one that has yet to arrive. Further calls do nothing.</summary>
    public void Release() => _released.TrySetResult();

    internal async ValueTask PassAsync(CancellationToken cancellationToken)
    {
        _arrived.TrySetResult();
        await _released.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
