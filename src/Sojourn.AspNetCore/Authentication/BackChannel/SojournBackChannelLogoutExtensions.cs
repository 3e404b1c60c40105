using Microsoft.AspNetCore.Routing;
using Sojourn.AspNetCore.Authentication;
using Sojourn.AspNetCore.Authentication.BackChannel;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Lets an OpenID provider end sessions.</summary>
public static class SojournBackChannelLogoutExtensions
{
    /// <summary>
    /// Maps the endpoint to which an OpenID provider posts logout tokens (OpenID Connect Back-Channel Logout 1.0). A token that is believed ends the session of
    /// its <c>sid</c>, or all of its subject where it has none, with the reason <see cref="Sojourn.Events.SessionEndReason.ByProvider"/>: 200, whether or not
    /// there were any. What is not believed is 400, each token counts once, and a store that fails is 503.
    /// </summary>
    /// <remarks>Needs a store whose sessions are found by label and that keeps subjects' entries: every native layout.</remarks>
    /// <param name="endpoints">The application's endpoints.</param>
    /// <param name="pattern">The path that the provider was told, such as <c>/signout-oidc-backchannel</c>.</param>
    /// <param name="configure">Says whose tokens are believed.</param>
    /// <returns>The endpoint.</returns>
    /// <exception cref="ArgumentException">An option is missing or out of its range.</exception>
    public static IEndpointConventionBuilder MapSojournBackChannelLogout(
        this IEndpointRouteBuilder endpoints, string pattern, Action<SojournBackChannelLogoutOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new SojournBackChannelLogoutOptions();
        configure(options);
        options.Require(nameof(configure));

        // The provider has no session, no antiforgery token and nobody signed in: the token alone says who it is.
        return endpoints.MapPost(pattern, new BackChannelLogout(options).AnswerAsync).WithoutSession().AllowAnonymous().DisableAntiforgery();
    }
}
