using System.Security.Claims;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Authentication;
using Sojourn.AspNetCore.Authentication.Identity;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Ties ASP.NET Core Identity to the sessions of its users.</summary>
public static class SojournIdentityExtensions
{
    /// <summary>
    /// Ends a user's other sessions when their password, their second factor or their security stamp changes (<see cref="SojournUserManager{TUser}"/>), and
    /// checks the security stamp of each session every <see cref="SecurityStampValidatorOptions.ValidationInterval"/> (30 minutes by default), for changes that
    /// were made elsewhere. Needs <c>AddAuthentication(IdentityConstants.ApplicationScheme).AddSojourn(IdentityConstants.ApplicationScheme)</c>, or Identity's
    /// own cookie with <c>UseSojournTickets</c>, which checks the stamp itself; and <c>AddSignInManager</c>.
    /// </summary>
    /// <typeparam name="TUser">The application's user.</typeparam>
    /// <param name="builder">The application's Identity.</param>
    /// <returns>The same.</returns>
    /// <exception cref="InvalidOperationException">
    /// Identity has users of another type, or a user manager of the application's own that does not derive from <see cref="SojournUserManager{TUser}"/>.
    /// </exception>
    public static IdentityBuilder AddSojournSessions<TUser>(this IdentityBuilder builder)
        where TUser : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (builder.UserType != typeof(TUser))
        {
            throw new InvalidOperationException($"Identity's user is {builder.UserType}: call AddSojournSessions<{builder.UserType.Name}>().");
        }

        var services = builder.Services;
        var manager = services.LastOrDefault(static service => service.ServiceType == typeof(UserManager<TUser>))?.ImplementationType;
        if (manager is null || manager == typeof(UserManager<TUser>))
        {
            builder.AddUserManager<SojournUserManager<TUser>>();
        }
        else if (!manager.IsAssignableTo(typeof(SojournUserManager<TUser>)))
        {
            throw new InvalidOperationException($"{manager} would not end the user's sessions. Derive it from SojournUserManager<{typeof(TUser).Name}>.");
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddHttpContextAccessor();
        services.TryAddSingleton<StampValidation<TUser>>();
        var options = services.AddOptions<SojournAuthenticationOptions>(IdentityConstants.ApplicationScheme);
        options.PostConfigure<StampValidation<TUser>, IOptions<IdentityOptions>>((options, stamp, identity) =>
        {
            options.Subject = SubjectOf(options.Subject, identity.Value);
            var own = options.OnValidate;
            options.OnValidate = own is null ? stamp.ValidateAsync : async context =>
            {
                await stamp.ValidateAsync(context).ConfigureAwait(false);
                if (!context.IsRejected)
                {
                    await own(context).ConfigureAwait(false);
                }
            };
        });
        services.AddOptions<SojournTicketOptions>(IdentityConstants.ApplicationScheme).PostConfigure<IOptions<IdentityOptions>>(
            (options, identity) => options.Subject = SubjectOf(options.Subject, identity.Value));
        return builder;
    }

    /// <summary>The session's subject is the user's id, by which their sessions are ended, unless the application says otherwise.</summary>
    private static Func<ClaimsPrincipal, string?> SubjectOf(Func<ClaimsPrincipal, string?> subject, IdentityOptions identity) =>
        subject == UserClaims.Subject ? user => user.FindFirst(identity.ClaimsIdentity.UserIdClaimType)?.Value : subject;
}
