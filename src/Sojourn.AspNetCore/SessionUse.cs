namespace Sojourn.AspNetCore;

/// <summary>How an endpoint uses the session.</summary>
public enum SessionUse
{
    /// <summary>Loaded before the handler, saved before the response: what every endpoint has that says nothing.</summary>
    ReadWrite,

    /// <summary>Not loaded: the request costs no call of the store.</summary>
    None,

    /// <summary>Loaded; a write throws.</summary>
    ReadOnly,

    /// <summary>
    /// Requests of one session run one after another: those of this process, and of all processes where the store has leases
    /// (<see cref="Storage.ISessionLease"/>). One that waits longer than <see cref="SojournOptions.ExclusiveTimeout"/> gets 503.
    /// </summary>
    Exclusive,
}

/// <summary>Says how an endpoint, a controller or an action uses a session; of each session the nearest counts.</summary>
/// <param name="use">How.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
public sealed class SessionUseAttribute(SessionUse use) : Attribute
{
    /// <summary>How the endpoint uses the session.</summary>
    public SessionUse Use { get; } = use;

    /// <summary>The session's name; empty, the default, for the default session.</summary>
    public string Session { get; init; } = "";
}
