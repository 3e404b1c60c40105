namespace Sojourn.Testing;

/// <summary>
/// Adds rules for one verb of a <see cref="FaultInjectingStore"/>. They apply in the order in which they were added: a call waits as each
/// of them says, up to the first that makes it fail. Thread-safe.
/// </summary>
public sealed class FaultRule
{
    private readonly FaultInjectingStore _store;
    private readonly StoreVerb _verb;

    internal FaultRule(FaultInjectingStore store, StoreVerb verb)
    {
        _store = store;
        _verb = verb;
    }

    /// <summary>Lets calls throw <see cref="InjectedFaultException"/> before they reach the store: nothing is changed.</summary>
    /// <param name="times">How many calls, 1 or more; <see langword="null"/>, the default, for all.</param>
    /// <returns>This, to add another rule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public FaultRule Fail(int? times = null) => Add(times, Effect.Fail);

    /// <summary>
    /// Lets calls reach the store and throw <see cref="InjectedFaultException"/> once it has answered, as when a connection breaks before
    /// the answer is through.
    /// </summary>
    /// <param name="times">How many calls, 1 or more; <see langword="null"/>, the default, for all.</param>
    /// <returns>This, to add another rule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is less than 1.</exception>
    public FaultRule LoseAnswer(int? times = null) => Add(times, Effect.LoseAnswer);

    /// <summary>Lets all calls wait before they reach the store, by the clock that the store was given.</summary>
    /// <param name="delay">How long; not negative.</param>
    /// <returns>This, to add another rule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> is negative.</exception>
    public FaultRule Delay(TimeSpan delay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        return Add(times: null, Effect.Wait, cancellationToken => Task.Delay(delay, _store.Time, cancellationToken));
    }

    /// <summary>Lets the next call, and only that one, wait before it reaches the store until the test releases it.</summary>
    /// <returns>Tells when the call has arrived, and releases it.</returns>
    public HeldCall Hold()
    {
        var held = new HeldCall();
        Add(times: 1, Effect.Wait, held.PassAsync);
        return held;
    }

    private FaultRule Add(int? times, Effect effect, Func<CancellationToken, Task>? wait = null)
    {
        if (times is { } calls) ArgumentOutOfRangeException.ThrowIfLessThan(calls, 1, nameof(times));
        _store.Add(new(_verb, effect, wait) { CallsLeft = times });
        return this;
    }

    internal enum Effect
    {
        Wait,
        Fail,
        LoseAnswer,
    }

    internal sealed class Rule(StoreVerb verb, Effect effect, Func<CancellationToken, Task>? wait)
    {
        public StoreVerb Verb => verb;

        public Effect Effect => effect;

        public Func<CancellationToken, Task>? Wait => wait;

        /// <summary><see langword="null"/>: all calls.</summary>
        public int? CallsLeft { get; set; }
    }
}
