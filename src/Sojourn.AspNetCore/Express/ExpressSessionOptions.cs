using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>express-session 1.19's options by their names, meanings and defaults. Read once, when the application starts.</summary>
public sealed class ExpressSessionOptions
{
    private TimeSpan? _timeToLive;

    /// <summary>The secret, where there is one: short for a single member of <see cref="Secrets"/>. None by default.</summary>
    public ExpressSecret? Secret
    {
        get => Secrets.Count > 0 ? Secrets[0] : default(ExpressSecret?);
        set => Secrets = value is { } secret ? [secret] : [];
    }

    /// <summary>What cookies are signed with: the first signs, all verify. None by default; needed outside Development.</summary>
    public IList<ExpressSecret> Secrets { get; set; } = [];

    /// <summary>The cookie's name. <c>connect.sid</c> by default.</summary>
    public string Name { get; set; } = "connect.sid";

    /// <summary>Save an existing session at the end of every request, changed or not. True by default. Never writes over another request's change.</summary>
    public bool Resave { get; set; } = true;

    /// <summary>Save a new session that nothing was put into, and set its cookie. True by default.</summary>
    public bool SaveUninitialized { get; set; } = true;

    /// <summary>Send the cookie with every response of an existing session. False by default.</summary>
    public bool Rolling { get; set; }

    /// <summary>What <see cref="Session.Unset"/> does to the stored session. <see cref="UnsetBehavior.Keep"/> by default.</summary>
    public UnsetBehavior Unset { get; set; }

    /// <summary>
    /// Whether the request is secure. TLS on the connection itself always is. Beyond that: <see langword="true"/> looks at the first value of
    /// <c>X-Forwarded-Proto</c>, <see langword="false"/> says no, <see langword="null"/> (the default) asks <see cref="HttpRequest.IsHttps"/>.
    /// </summary>
    public bool? Proxy { get; set; }

    /// <summary>
    /// Makes ids; 192 random bits as 32 characters by default (<see langword="null"/>). What it returns has 1 to 256 bytes of UTF-8 and can be guessed by
    /// nobody.
    /// </summary>
    public Func<HttpContext, string>? GenId { get; set; }

    /// <summary>The attributes that new sessions' cookies begin with.</summary>
    public ExpressCookieOptions Cookie { get; set; } = new();

    /// <summary>
    /// The attributes by request, in place of <see cref="Cookie"/>: asked for the path of every request and for each new session. None by default.
    /// </summary>
    public Func<HttpContext, ExpressCookieOptions>? CookieByRequest { get; set; }

    /// <summary>
    /// How long a session lives without use whose cookie has no lifetime: the npm stores' <c>ttl</c>, where the store has none of its own. One day by default;
    /// 1 second to 400 days.
    /// </summary>
    public TimeSpan TimeToLive
    {
        get => _timeToLive ?? TimeSpan.FromDays(1);
        set => _timeToLive = value;
    }

    internal bool IsTimeToLiveSet => _timeToLive is not null;
}

/// <summary>The attributes of the cookie, by express-session's names and meanings.</summary>
public sealed class ExpressCookieOptions
{
    private TimeSpan? _maxAge;
    private DateTimeOffset? _expires;

    /// <summary>The path; requests whose own path does not begin with this text have no session. <c>/</c> by default.</summary>
    public string Path { get; set; } = "/";

    /// <summary>The domain. None by default: the very host that set it.</summary>
    public string? Domain { get; set; }

    /// <summary>Whether scripts are kept from the cookie. True by default.</summary>
    public bool HttpOnly { get; set; } = true;

    /// <summary>
    /// Whether the cookie travels over https alone; a secure cookie is not sent at all over plain http. <see cref="CookieSecure.AsRequest"/> is
    /// express-session's <c>'auto'</c>, decided once, when the session is made. Unset by default (<see langword="null"/>), which is not secure.
    /// </summary>
    public CookieSecure? Secure { get; set; }

    /// <summary>Which sites' requests carry the cookie. Unset by default.</summary>
    public ExpressSameSite SameSite { get; set; }

    /// <summary>
    /// How long the browser keeps the cookie, and the store the session; as long as the browser runs by default (<see langword="null"/>). Of this and
    /// <see cref="Expires"/> the one set last counts.
    /// </summary>
    public TimeSpan? MaxAge
    {
        get => _maxAge;
        set => (_maxAge, _expires) = (value, null);
    }

    /// <summary>When the cookie of every session ends; none by default. Of this and <see cref="MaxAge"/> the one set last counts.</summary>
    public DateTimeOffset? Expires
    {
        get => _expires;
        set => (_expires, _maxAge) = (value, null);
    }

    /// <summary>Whether each top-level site has a jar of its own for it (CHIPS). Unset by default (<see langword="null"/>), which is false.</summary>
    public bool? Partitioned { get; set; }

    /// <summary>Which cookies the browser drops first. Left out by default.</summary>
    public SessionCookiePriority Priority { get; set; }
}

/// <summary>The SameSite attribute, and express-session's <c>'auto'</c>.</summary>
public enum ExpressSameSite
{
    /// <summary>The attribute is left out.</summary>
    Unset,

    /// <summary>Lax.</summary>
    Lax,

    /// <summary>Strict.</summary>
    Strict,

    /// <summary>None.</summary>
    None,

    /// <summary>express-session's <c>true</c>: Strict, and <c>true</c> in the record.</summary>
    True,

    /// <summary>express-session's <c>false</c>: left out, and <c>false</c> in the record.</summary>
    False,

    /// <summary>None if the request that begins the session is secure, else Lax.</summary>
    Auto,
}

/// <summary>A secret: text, which counts as UTF-8, or bytes.</summary>
public readonly struct ExpressSecret : IEquatable<ExpressSecret>
{
    private readonly byte[]? _bytes;

    /// <summary>Makes a secret of bytes.</summary>
    /// <param name="bytes">The bytes; copied.</param>
    public ExpressSecret(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A secret of text.</summary>
    /// <param name="text">The text.</param>
    public static implicit operator ExpressSecret(string text) => FromString(text);

    /// <summary>A secret of bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    public static implicit operator ExpressSecret(byte[] bytes) => FromByteArray(bytes);

    /// <summary>A secret of text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The secret.</returns>
    public static ExpressSecret FromString(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>A secret of bytes.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <returns>The secret.</returns>
    public static ExpressSecret FromByteArray(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return new(bytes);
    }

    /// <inheritdoc/>
    public bool Equals(ExpressSecret other) => Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ExpressSecret other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Bytes);
        return hash.ToHashCode();
    }

    /// <summary>Says nothing of the secret.</summary>
    /// <returns>Always the same.</returns>
    public override string ToString() => "(secret)";

    /// <summary>Whether two secrets are the same.</summary>
    public static bool operator ==(ExpressSecret left, ExpressSecret right) => left.Equals(right);

    /// <summary>Whether two secrets differ.</summary>
    public static bool operator !=(ExpressSecret left, ExpressSecret right) => !left.Equals(right);
}
