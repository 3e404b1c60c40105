using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>The ways for a session's token to travel. Chosen by <c>AddSojourn().WithTransports(…)</c>; the cookie alone by default.</summary>
public static class SessionTransports
{
    /// <summary>The cookie that <see cref="SojournOptions.Cookie"/> describes: for browsers.</summary>
    public static ISessionTransport Cookie { get; } = new CookieTransport("", isExpress: false);

    /// <summary>
    /// A header, for apps and APIs: the client sends its token as <c>Authorization: Session …</c> or in the header of the given name, gets a new token in the
    /// latter, keeps it, and forgets it when the header comes empty. A client without a token asks for one by sending the header empty, where the header is not
    /// the first transport. Scripts of other origins see the header where CORS exposes it (<c>Access-Control-Expose-Headers</c>).
    /// </summary>
    /// <param name="name">The header; <c>X-Session-Id</c> by default. Sessions side by side need headers of their own.</param>
    /// <param name="scheme">The word before the token in <c>Authorization</c> (RFC 9110, section 11.4); <c>Session</c> by default.</param>
    /// <returns>The transport.</returns>
    /// <exception cref="ArgumentException">
    /// The name is that of a header with a meaning of its own, or one of both is no token (RFC 9110, section 5.6.2).
    /// </exception>
    public static ISessionTransport Header(string name = "X-Session-Id", string scheme = "Session") => new HeaderTransport(name, scheme);
}
