using Sojourn.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Says how endpoints use the session.</summary>
public static class SojournEndpointConventions
{
    /// <summary>The endpoints have no session: no token is read, no store is asked.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithoutSession<TBuilder>(this TBuilder builder, string session = "")
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.None, session);

    /// <summary>
    /// The endpoints have the session loaded before they run, also with <see cref="Sojourn.SessionLoad.OnFirstUse"/>: for those that take it from
    /// where no parameter shows it, such as a service of their own.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithSession<TBuilder>(this TBuilder builder, string session = "")
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.ReadWrite, session);

    /// <summary>The endpoints only read the session: a write throws.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithReadOnlySession<TBuilder>(this TBuilder builder, string session = "")
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.ReadOnly, session);

    /// <summary>Requests of one session to these endpoints run one after another.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithExclusiveSession<TBuilder>(this TBuilder builder, string session = "")
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.Exclusive, session);

    /// <summary>
    /// Requests to these endpoints are no activity of the user's: they do not move the session's idle deadline. See <see cref="NoSessionActivityAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithoutActivity<TBuilder>(this TBuilder builder, string session = "")
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(session);
        builder.Add(endpoint => endpoint.Metadata.Add(new NoSessionActivityAttribute { Session = session }));
        return builder;
    }

    /// <summary>
    /// The endpoints let a request through only if its session has the given entries; others get 401. See <see cref="RequireSessionAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="entries">The names of the entries; without any, a session that an earlier request has stored is enough.</param>
    /// <returns>The same.</returns>
    public static TBuilder RequireSession<TBuilder>(this TBuilder builder, params string[] entries)
        where TBuilder : IEndpointConventionBuilder => builder.RequireSession(new RequireSessionAttribute(entries));

    /// <summary>As the attribute says, which may name a page to send others to, and the session that is meant.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="requirement">What is required.</param>
    /// <returns>The same.</returns>
    public static TBuilder RequireSession<TBuilder>(this TBuilder builder, RequireSessionAttribute requirement)
        where TBuilder : IEndpointConventionBuilder => builder.Requires(requirement);

    /// <summary>
    /// The endpoints let a request through only if somebody is signed in to its session; others get 401, or are sent to a page. See
    /// <see cref="RequireSignInAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="redirectTo">Where to send others; 401 when <see langword="null"/>.</param>
    /// <returns>The same.</returns>
    public static TBuilder RequireSignIn<TBuilder>(this TBuilder builder, string? redirectTo = null)
        where TBuilder : IEndpointConventionBuilder => builder.Requires(new RequireSignInAttribute { RedirectTo = redirectTo });

    /// <summary>
    /// The endpoints let a request through only if the user proved who they are a short time ago (<see cref="Sojourn.Session.SignedInAt"/>); others get 401, or
    /// are sent to a page that asks for their password and calls <see cref="Sojourn.Session.ConfirmSignInAsync"/>. See
    /// <see cref="RequireFreshSignInAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="maxAge">How long ago at the most; more than zero.</param>
    /// <param name="redirectTo">Where to send others; 401 when <see langword="null"/>.</param>
    /// <returns>The same.</returns>
    public static TBuilder RequireFreshSignIn<TBuilder>(this TBuilder builder, TimeSpan maxAge, string? redirectTo = null)
        where TBuilder : IEndpointConventionBuilder => builder.Requires(new RequireFreshSignInAttribute(maxAge.TotalSeconds) { RedirectTo = redirectTo });

    /// <summary>
    /// The endpoints let a request through only if its session is bound to a device and the request comes from it (<c>WithDeviceBinding</c>); others get 403,
    /// or are sent to a page. See <see cref="RequireDeviceBindingAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoints.</param>
    /// <param name="redirectTo">Where to send others; 403 when <see langword="null"/>.</param>
    /// <returns>The same.</returns>
    public static TBuilder RequireDeviceBinding<TBuilder>(this TBuilder builder, string? redirectTo = null)
        where TBuilder : IEndpointConventionBuilder => builder.Requires(new RequireDeviceBindingAttribute { RedirectTo = redirectTo });

    private static TBuilder Requires<TBuilder>(this TBuilder builder, SessionRequirementAttribute requirement)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(requirement);
        builder.Add(endpoint => endpoint.Metadata.Add(requirement));
        return builder;
    }

    private static TBuilder Uses<TBuilder>(this TBuilder builder, SessionUse use, string session)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(session);
        builder.Add(endpoint => endpoint.Metadata.Add(new SessionUseAttribute(use) { Session = session }));
        return builder;
    }
}
