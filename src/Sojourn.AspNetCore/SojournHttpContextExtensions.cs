using Sojourn.AspNetCore;

namespace Microsoft.AspNetCore.Http;

/// <summary>The session of a request.</summary>
public static class SojournHttpContextExtensions
{
    /// <summary>The request's session.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The session, loaded.</returns>
    /// <exception cref="InvalidOperationException">The request has none: the endpoint says so, or <c>UseSojourn</c> is missing or comes later.</exception>
    public static Sojourn.Session GetSession(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return SessionFeature.Of(context) is { } feature
            ? feature.Current
            : throw new InvalidOperationException("The request has no session: the endpoint says WithoutSession, or UseSojourn is missing or comes later in the pipeline.");
    }
}
