namespace Sojourn.Testing;

/// <summary>What a <see cref="FaultInjectingStore"/> throws where a test asked for a failure.</summary>
public sealed class InjectedFaultException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">Which verb failed, and whether it took effect.</param>
    public InjectedFaultException(string message)
        : base(message)
    {
    }
}
