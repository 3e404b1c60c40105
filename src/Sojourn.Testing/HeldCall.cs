namespace Sojourn.Testing;

/// <summary>One call that waits, before it reaches the store, until the test releases it. Thread-safe.</summary>
public sealed class HeldCall
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal HeldCall()
    {
    }

    /// <summary>Completes when the call is there and waits; the store is unchanged by it then.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Lets the call go on, also one that has yet to arrive. A second release does nothing.</summary>
    public void Release() => _released.TrySetResult();

    internal Task PassAsync(CancellationToken cancellationToken)
    {
        _arrived.TrySetResult();
        return _released.Task.WaitAsync(cancellationToken);
    }
}
