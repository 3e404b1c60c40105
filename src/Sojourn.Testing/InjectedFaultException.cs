namespace Sojourn.Testing;

/// <summary>What a <see cref="FaultInjectingStore"/> throws where a test asked for a failure.</summary>
public sealed class InjectedFaultException : Exception
{
    internal InjectedFaultException(StoreVerb verb, bool tookEffect)
        : base(tookEffect ? $"{verb} was done, and its answer was lost, as the test asked." : $"{verb} failed before it was done, as the test asked.")
    {
        Verb = verb;
        TookEffect = tookEffect;
    }

    /// <summary>The verb that failed.</summary>
    public StoreVerb Verb { get; }

    /// <summary>Whether the store had answered, and only the answer was lost.</summary>
    public bool TookEffect { get; }
}
