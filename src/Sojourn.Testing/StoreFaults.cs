namespace Sojourn.Testing;

/// <summary>
/// What shall befall the next calls of the chosen verbs: each of its verbs arranges one thing, and things happen in the order in which
/// they were arranged, one to a call.
/// </summary>
public sealed class StoreFaults
{
    private readonly FaultInjectingStore _store;
    private readonly StoreVerb _verbs;

    internal StoreFaults(FaultInjectingStore store, StoreVerb verbs)
    {
        _store = store;
        _verbs = verbs;
    }

    /// <summary>Lets calls fail before they reach the store: nothing is changed.</summary>
    /// <param name="times">How many calls, 1 or more; <see cref="FaultInjectingStore.Always"/> for all. 1 by default.</param>
    /// <param name="exception">What to throw; <see cref="InjectedFaultException"/> by default.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public void Fail(int times = 1, Exception? exception = null)
    {
        exception ??= new InjectedFaultException($"{_verbs} failed before it took effect, as the test asked.");
        _store.Arrange(_verbs, times, before: _ => ValueTask.FromException(exception));
    }

    /// <summary>Lets calls take effect and then fail, as when the connection breaks before the answer is through.</summary>
    /// <param name="times">How many calls, 1 or more; <see cref="FaultInjectingStore.Always"/> for all. 1 by default.</param>
    /// <param name="exception">What to throw; <see cref="InjectedFaultException"/> by default.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public void LoseAnswer(int times = 1, Exception? exception = null)
    {
        exception ??= new InjectedFaultException($"{_verbs} took effect, and its answer was lost, as the test asked.");
        _store.Arrange(_verbs, times, after: exception);
    }

    /// <summary>Lets calls wait before they reach the store, by the clock that the store was given.</summary>
    /// <param name="delay">How long; not negative.</param>
    /// <param name="times">How many calls, 1 or more; <see cref="FaultInjectingStore.Always"/> for all. 1 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> is negative or <paramref name="times"/> is less than 1.</exception>
    public void Delay(TimeSpan delay, int times = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        _store.Arrange(_verbs, times, before: cancellationToken => new(Task.Delay(delay, _store.TimeProvider, cancellationToken)));
    }

    /// <summary>Lets the next call wait before it reaches the store, until the test releases it.</summary>
    /// <returns>Tells when the call has arrived, and releases it.</returns>
    public StoreHold Hold()
    {
        var hold = new StoreHold();
        _store.Arrange(_verbs, times: 1, before: hold.PassAsync);
        return hold;
    }
}
