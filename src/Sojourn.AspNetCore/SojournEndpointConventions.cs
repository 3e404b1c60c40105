using Sojourn.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Says how endpoints use the session.</summary>
public static class SojournEndpointConventions
{
    /// <summary>The endpoints have no session: no token is read, no store is asked.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithoutSession<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.None);

    /// <summary>The endpoints only read the session: a write throws.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithReadOnlySession<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.ReadOnly);

    /// <summary>Requests of one session to these endpoints run one after another.</summary>
    /// <param name="builder">The endpoints.</param>
    /// <returns>The same.</returns>
    public static TBuilder WithExclusiveSession<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.Uses(SessionUse.Exclusive);

    private static TBuilder Uses<TBuilder>(this TBuilder builder, SessionUse use)
        where TBuilder : IEndpointConventionBuilder
    {
        builder.Add(endpoint => endpoint.Metadata.Add(new SessionUseAttribute(use)));
        return builder;
    }
}
