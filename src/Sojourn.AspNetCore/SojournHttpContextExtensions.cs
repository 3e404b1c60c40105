using Sojourn.AspNetCore;

namespace Microsoft.AspNetCore.Http;

/// <summary>The session of a request.</summary>
public static class SojournHttpContextExtensions
{
    /// <summary>The request's session.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The session, loaded.</returns>
    /// <exception cref="InvalidOperationException">The request has none: the endpoint says so, or <c>UseSojourn</c> is missing or comes later.</exception>
    public static Sojourn.Session GetSession(this HttpContext context) => context.GetSession("");

    /// <summary>One of the request's sessions side by side.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The session's name, as given to <c>AddSojourn</c>; empty for the default session.</param>
    /// <returns>The session, loaded.</returns>
    /// <exception cref="InvalidOperationException">
    /// The request has none: the endpoint says so, its path is not that of the session's cookie, or <c>UseSojourn</c> is missing or comes later. Or it is
    /// loaded on first use (<see cref="Sojourn.SessionLoad"/>), and that is now: <see cref="GetSessionAsync(HttpContext, string)"/>.
    /// </exception>
    public static Sojourn.Session GetSession(this HttpContext context, string name) => FeatureOf(context, name).Current;

    /// <summary>
    /// The request's session, loaded now where it was not before: with <see cref="Sojourn.SessionLoad.OnFirstUse"/> in middleware, and in endpoints that do not
    /// name it.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <returns>The session, loaded.</returns>
    /// <exception cref="InvalidOperationException">The request has none: the endpoint says so, or <c>UseSojourn</c> is missing or comes later.</exception>
    /// <exception cref="Sojourn.SessionStoreException">It could not be loaded. Not caught, it is the answer 503.</exception>
    public static ValueTask<Sojourn.Session> GetSessionAsync(this HttpContext context) => context.GetSessionAsync("");

    /// <inheritdoc cref="GetSessionAsync(HttpContext)"/>
    /// <param name="context">The request.</param>
    /// <param name="name">The session's name, as given to <c>AddSojourn</c>; empty for the default session.</param>
    public static async ValueTask<Sojourn.Session> GetSessionAsync(this HttpContext context, string name)
    {
        var feature = FeatureOf(context, name);
        await feature.LoadAsync().ConfigureAwait(false);
        return feature.Current;
    }

    private static SessionFeature FeatureOf(HttpContext context, string name)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(name);
        return SessionFeature.Of(context, name) ?? throw new InvalidOperationException(name is ""
            ? "The request has no session: the endpoint says WithoutSession, or UseSojourn is missing or comes later in the pipeline."
            : $"The request has no session '{name}': the endpoint says WithoutSession(\"{name}\"), its path is not under the Cookie.Path of the session, or "
                + $"UseSojourn(\"{name}\") is missing or comes later in the pipeline.");
    }
}
