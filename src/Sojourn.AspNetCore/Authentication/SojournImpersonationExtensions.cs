using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Authentication;

namespace Microsoft.AspNetCore.Http;

/// <summary>Lets a signed-in user act as another one, as support staff do, and come back.</summary>
public static class SojournImpersonationExtensions
{
    /// <summary>
    /// The signed-in user acts as another one from the next request on, with no entries of their own in the session and no fresh sign-in
    /// (<see cref="Sojourn.Session.ImpersonateAsync(string, CancellationToken)"/>). Whether they may is for the application to decide before.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="user">Whom to act as.</param>
    /// <param name="scheme">The scheme's name, where it is not the default one.</param>
    /// <exception cref="InvalidOperationException">
    /// Nobody is signed in, or they act as somebody already; or the user has no claim that tells who they are.
    /// </exception>
    /// <returns>When it is saved.</returns>
    public static async Task ImpersonateAsync(
        this HttpContext context, ClaimsPrincipal user, string scheme = SojournAuthenticationDefaults.AuthenticationScheme)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(user);
        var options = context.RequestServices.GetRequiredService<IOptionsMonitor<SojournAuthenticationOptions>>().Get(scheme);
        var subject = UserClaims.RequireSubject(user, options.Subject, "SojournAuthenticationOptions.Subject");
        await context.GetSession().ImpersonateAsync(
            subject, SessionTicket.Write(scheme, user, new AuthenticationProperties()), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Whoever acted as another user is themselves again, from the next request on.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="InvalidOperationException">Nobody acts as another user.</exception>
    /// <returns>When it is saved.</returns>
    public static Task StopImpersonatingAsync(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetSession().StopImpersonatingAsync(CancellationToken.None).AsTask();
    }
}
