namespace Sojourn;

/// <summary>The SameSite attribute of the cookie (RFC 6265bis, section 5.6.7).</summary>
public enum SessionSameSite
{
    /// <summary>The attribute is left out, and the browser applies its own default.</summary>
    Unset,

    /// <summary>Sent with requests of the same site, and when a link is followed to it.</summary>
    Lax,

    /// <summary>Sent with requests of the same site alone.</summary>
    Strict,

    /// <summary>Sent with requests of every site; needs Secure.</summary>
    None,
}

/// <summary>The Priority attribute of the cookie (Chromium): which cookies are dropped first when there are too many.</summary>
public enum SessionCookiePriority
{
    /// <summary>The attribute is left out.</summary>
    Unset,

    /// <summary>Dropped first.</summary>
    Low,

    /// <summary>What browsers take where nothing is said.</summary>
    Medium,

    /// <summary>Dropped last.</summary>
    High,
}

/// <summary>
/// One session's own cookie attributes, kept in its document as express-session keeps them. A new session copies them from
/// <see cref="SojournOptions.Cookie"/>; from then on the session's own count, so that the cookie is cleared with the attributes it was set with.
/// </summary>
/// <remarks>A change is saved with the session and sent with the next response. Not thread-safe.</remarks>
public sealed record SessionCookie
{
    /// <summary>The path the browser sends the cookie to; starts with a slash.</summary>
    public string Path { get; set; } = "/";

    /// <summary>The domain the browser sends the cookie to; <see langword="null"/> for the very host that set it.</summary>
    public string? Domain { get; set; }

    /// <summary>Whether scripts are kept from the cookie.</summary>
    public bool HttpOnly { get; set; } = true;

    /// <summary>Whether the cookie travels over https alone; <see langword="null"/> where nothing was ever said.</summary>
    public bool? Secure { get; set; }

    /// <summary>Which sites' requests carry the cookie.</summary>
    public SessionSameSite SameSite { get; set; }

    /// <summary>Whether each top-level site has a jar of its own for it (CHIPS).</summary>
    public bool Partitioned { get; set; }

    /// <summary>Which cookies the browser drops first.</summary>
    public SessionCookiePriority Priority { get; set; }

    /// <summary>How long the browser keeps the cookie after each time it is set; <see langword="null"/> for as long as the browser runs.</summary>
    public TimeSpan? MaxAge { get; set; }
}
