namespace Sojourn;

/// <summary>How a user signs in: what is kept of the session before, how long the sign-in lasts, and what it is found by.</summary>
/// <remarks>Read during the call it is given to; later changes have no effect.</remarks>
public sealed class SessionSignIn
{
    /// <summary>
    /// Whether entries that were set before the sign-in stay, such as a cart. True by default. Entries of another subject never stay.
    /// </summary>
    public bool KeepsEntries { get; set; } = true;

    /// <summary>
    /// "Remember me": the browser keeps the cookie when it is closed, and the deadlines of <see cref="SojournOptions.RememberMe"/> count unless others are
    /// given here. False by default.
    /// </summary>
    public bool IsPersistent { get; set; }

    /// <summary>How long this session lives without use, 1 second to 400 days; <see langword="null"/>, the default, for what the options say.</summary>
    public TimeSpan? IdleTimeout { get; set; }

    /// <summary>
    /// How long this session lives from now on, whatever its use, 1 second or more; <see langword="null"/>, the default, for what the options say;
    /// <see cref="Timeout.InfiniteTimeSpan"/> for no such deadline.
    /// </summary>
    public TimeSpan? AbsoluteTimeout { get; set; }

    /// <summary>
    /// What the session can be found and ended by besides its subject: <c>sid:…</c> for the <c>sid</c> of an OpenID provider, or other words with a colon of up
    /// to 256 characters. Neither <c>subject:</c> nor <c>handle:</c>, which are Sojourn's own. Empty by default.
    /// </summary>
    public IList<string> Labels { get; } = [];

    /// <summary>The device that the user signs in on; by default what the web side tells, as <see cref="SojournOptions.KeepDevice"/> allows it.</summary>
    public SessionDevice? Device { get; set; }

    /// <summary>What the authentication scheme keeps of the user: one JSON object.</summary>
    internal ReadOnlyMemory<byte> Ticket { get; set; }

    /// <summary>
    /// When the user proved who they are: read from the clock before the password was looked up. A sign-in that was proved before all sessions of the subject
    /// were ended is refused (<see cref="SessionEndedException"/>), since the password may have been changed in between. By default (<see langword="null"/>)
    /// when the request began, and outside a request now. A request that ends all sessions of a subject itself and then signs them in sets it to the time after
    /// that.
    /// </summary>
    public DateTimeOffset? ProvedAt { get; set; }

    internal void Require(string parameter)
    {
        if (IdleTimeout is { } idle && (idle < TimeSpan.FromSeconds(1) || idle > TimeSpan.FromDays(400)))
        {
            throw new ArgumentException("SessionSignIn.IdleTimeout is 1 second to 400 days, or null for what the options say.", parameter);
        }

        if (AbsoluteTimeout is { } absolute && absolute != Timeout.InfiniteTimeSpan && !SojournOptionsValidator.IsDeadline(absolute))
        {
            throw new ArgumentException(
                "SessionSignIn.AbsoluteTimeout is 1 second to 36,500 days, Timeout.InfiniteTimeSpan for none, or null for what the options say.", parameter);
        }

        foreach (var label in Labels)
        {
            SessionLabels.RequireOwn(label);
        }
    }
}
