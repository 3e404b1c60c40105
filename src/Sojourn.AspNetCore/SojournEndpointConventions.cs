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

    /// <summary>The endpoints let a request through only if its session has the given entries; others get 401. See <see cref="RequireSessionAttribute"/>.</summary>
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
