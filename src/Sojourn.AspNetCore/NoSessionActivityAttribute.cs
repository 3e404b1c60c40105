namespace Sojourn.AspNetCore;

/// <summary>
/// Says that requests to an endpoint, a controller or an action are no activity of the user's: they load the session and save what they change, and do not move
/// its idle deadline. For what a page does by itself, such as asking for news or for how long the session still lives. See
/// <see cref="Sojourn.Session.CountsAsActivity"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
public sealed class NoSessionActivityAttribute : Attribute
{
    /// <summary>The session's name; empty, the default, for the default session.</summary>
    public string Session { get; init; } = "";
}
