using Microsoft.AspNetCore.Authentication;
using Sojourn.AspNetCore.Authentication;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds authentication on the session itself.</summary>
public static class SojournAuthenticationExtensions
{
    /// <summary>
    /// Keeps the signed-in user in the session: the session's own cookie is all that the browser holds, sign-in gives the session a new id, sign-out destroys
    /// it, and a session that was ended from elsewhere is signed out at once. Needs <c>services.AddSojourn()</c> as well.
    /// </summary>
    /// <param name="builder">The application's authentication.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>The same.</returns>
    public static AuthenticationBuilder AddSojourn(this AuthenticationBuilder builder, Action<SojournAuthenticationOptions>? configure = null) =>
        builder.AddSojourn(SojournAuthenticationDefaults.AuthenticationScheme, configure);

    /// <summary>As <see cref="AddSojourn(AuthenticationBuilder, Action{SojournAuthenticationOptions}?)"/>, under another name.</summary>
    /// <param name="builder">The application's authentication.</param>
    /// <param name="authenticationScheme">What the scheme is called.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>The same.</returns>
    public static AuthenticationBuilder AddSojourn(
        this AuthenticationBuilder builder, string authenticationScheme, Action<SojournAuthenticationOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddScheme<SojournAuthenticationOptions, SojournAuthenticationHandler>(authenticationScheme, configure);
    }
}
