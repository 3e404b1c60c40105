using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>Leads from the request's services to the request's session.</summary>
internal sealed class SessionHolder
{
    /// <summary>The request, once its session has begun.</summary>
    public HttpContext? Context { get; set; }

    public Session Session => Context is { } context ? context.GetSession() : throw new InvalidOperationException(
        "There is no session here: the endpoint says WithoutSession, UseSojourn is missing or comes later, or this is no request. Outside a request use SessionManager.");
}
