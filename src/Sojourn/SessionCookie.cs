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
    private TimeSpan? _maxAge;
    private DateTimeOffset? _expires;

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

    /// <summary>
    /// How long the browser keeps the cookie after each time it is set; <see langword="null"/> for as long as the browser runs.
    /// express-session's <c>originalMaxAge</c>.
    /// </summary>
    public TimeSpan? MaxAge
    {
        get => _maxAge;
        set => (_maxAge, _expires) = (value, Time.GetUtcNow() + value);
    }

    /// <summary>
    /// When the browser drops the cookie, as it was last saved; <see langword="null"/> when the browser is closed. Setting it sets
    /// <see cref="MaxAge"/> to what remains, and each later save counts from there anew, as express-session does.
    /// </summary>
    public DateTimeOffset? Expires
    {
        get => _expires;
        set => (_expires, _maxAge) = (value, value - Time.GetUtcNow());
    }

    /// <summary>Whether <see cref="SameSite"/> was given to express-session as true or false, and stands so in the document.</summary>
    internal bool IsSameSiteBoolean { get; init; }

    /// <summary>Whether <see cref="Partitioned"/> was given, and stands in the document, though it be false.</summary>
    internal bool IsPartitionedGiven { get; init; }

    /// <summary>What <see cref="Expires"/> counts by.</summary>
    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Whether the attributes are the same. When the cookie was last saved does not matter.</summary>
    /// <param name="other">The other cookie.</param>
    /// <returns>Whether they are.</returns>
    public bool Equals(SessionCookie? other) =>
        other is not null && Path == other.Path && Domain == other.Domain && HttpOnly == other.HttpOnly && Secure == other.Secure && SameSite == other.SameSite
        && Partitioned == other.Partitioned && Priority == other.Priority && MaxAge == other.MaxAge;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Path, Domain, HttpOnly, Secure, SameSite, Partitioned, Priority, MaxAge);

    /// <summary>Whether a text can stand in an attribute of a Set-Cookie header.</summary>
    internal static bool IsAttribute(string text) => text.All(c => c is >= ' ' and not ';' and < '\x7f');

    /// <summary>The lifetime begins anew.</summary>
    internal void Touch(DateTimeOffset now) => _expires = now + _maxAge;

    /// <summary>As it stands in a document, where the two are told apart.</summary>
    internal void Restore(TimeSpan? maxAge, DateTimeOffset? expires) => (_maxAge, _expires) = (maxAge, expires);
}
