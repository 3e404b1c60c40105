using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>
/// One way for a session's token to travel: <see cref="SessionTransports"/> has the cookie and the header. It finds tokens in a request's headers and puts them
/// on a response; signing, checking and choosing are Sojourn's. Never read a token from an address: addresses are logged, shared and sent on as referrers.
/// </summary>
/// <remarks>One instance serves all requests at once.</remarks>
public interface ISessionTransport
{
    /// <summary>The request headers that it reads, as <c>Vary</c> names them to caches.</summary>
    IReadOnlyList<string> RequestHeaders { get; }

    /// <summary>Offers every token that the request carries, valid or not.</summary>
    /// <param name="request">The request.</param>
    /// <param name="candidates">Takes the tokens.</param>
    /// <returns>Whether the client speaks by this transport: it sent a token, or asks for one. It is answered by the same.</returns>
    bool Read(HttpRequest request, ref TokenCandidates candidates);

    /// <summary>Sends the session's token. Called when the response starts, once at most.</summary>
    /// <param name="response">The response, whose headers can still be set.</param>
    /// <param name="token">The token: printable ASCII. Whoever has it is the visitor: never log it.</param>
    /// <param name="cookie">The session's own cookie attributes, for those whom they concern.</param>
    void Write(HttpResponse response, string token, SessionCookie cookie);

    /// <summary>Tells the client to forget the token: its session was destroyed.</summary>
    /// <param name="response">The response, whose headers can still be set.</param>
    /// <param name="cookie">The attributes that the session's cookie was set with.</param>
    void Clear(HttpResponse response, SessionCookie cookie);
}
