namespace Sojourn.Events;

/// <summary>Hears what happens to the sessions of every name, whichever are registered when.</summary>
internal interface ISessionListener
{
    /// <summary>The handler for the sessions of a name.</summary>
    ISessionEventHandler For(string session);
}
