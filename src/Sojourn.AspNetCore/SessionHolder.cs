using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>Leads from the request's services to the request's sessions.</summary>
internal sealed class SessionHolder
{
    /// <summary>The request, once a session of it has begun.</summary>
    public HttpContext? Context { get; set; }

    public Session Find(string name) => Context is { } context ? context.GetSession(name) : throw new InvalidOperationException(
        "There is no session here: the endpoint says WithoutSession, UseSojourn is missing or comes later, or this is no request. Outside a request use SessionManager.");
}
