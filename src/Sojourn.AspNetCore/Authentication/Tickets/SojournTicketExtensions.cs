using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.Authentication;
using Sojourn.AspNetCore.Authentication.Tickets;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps the tickets of cookie authentication in the session store.</summary>
public static class SojournTicketExtensions
{
    /// <summary>
    /// Keeps the tickets of a cookie scheme as sessions of their own, so that they are listed, limited and ended like all others; the cookie carries no more
    /// than the session's id, protected as the scheme protects its tickets. Each sign-in gets a new id, and the one before is dead. Needs
    /// <c>services.AddSojourn()</c> as well.
    /// </summary>
    /// <remarks>
    /// A session lives for the scheme's <see cref="CookieAuthenticationOptions.ExpireTimeSpan"/> without use, and for
    /// <see cref="Sojourn.SojournOptions.AbsoluteTimeout"/> whatever its use (<see cref="Sojourn.RememberMeOptions.AbsoluteTimeout"/> where the sign-in is
    /// persistent).
    /// </remarks>
    /// <param name="builder">The application's authentication, with <c>AddCookie</c> called on it.</param>
    /// <param name="authenticationScheme">The cookie scheme's name.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>The same.</returns>
    /// <exception cref="InvalidOperationException">At start: there is no cookie scheme of this name, or its handler is another one.</exception>
    public static AuthenticationBuilder UseSojournTickets(
        this AuthenticationBuilder builder, string authenticationScheme = CookieAuthenticationDefaults.AuthenticationScheme,
        Action<SojournTicketOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(authenticationScheme);
        builder.Services.Configure<SojournTicketOptions>(authenticationScheme, options => configure?.Invoke(options));
        builder.Services.TryAddTransient<TicketCookieHandler>();
        builder.Services.PostConfigure<AuthenticationOptions>(options =>
        {
            if (!options.SchemeMap.TryGetValue(authenticationScheme, out var scheme)
                || (scheme.HandlerType != typeof(CookieAuthenticationHandler) && scheme.HandlerType != typeof(TicketCookieHandler)))
            {
                throw new InvalidOperationException(
                    $"UseSojournTickets keeps the tickets of cookie authentication, and '{authenticationScheme}' is no scheme of its. Call "
                    + $"AddCookie(\"{authenticationScheme}\").");
            }

            scheme.HandlerType = typeof(TicketCookieHandler);
        });
        builder.Services.AddOptions<CookieAuthenticationOptions>(authenticationScheme).PostConfigure<SessionServices, IOptionsMonitor<SojournTicketOptions>>(
            (cookie, services, tickets) =>
                cookie.SessionStore = new SessionTicketStore(services, authenticationScheme, tickets.Get(authenticationScheme), cookie));
        return builder;
    }
}
