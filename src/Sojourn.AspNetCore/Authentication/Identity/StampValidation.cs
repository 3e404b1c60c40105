using System.Globalization;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Authentication.Identity;

/// <summary>Ends a session whose user has another security stamp by now: a net for changes that were made elsewhere. Thread-safe.</summary>
internal sealed class StampValidation<TUser>(IOptions<SecurityStampValidatorOptions> options, TimeProvider time)
    where TUser : class
{
    private const string CheckedAt = ".stampChecked";

    public async Task ValidateAsync(SojournValidateContext context)
    {
        var now = time.GetUtcNow();
        var interval = options.Value.ValidationInterval;
        if (now - LastCheck(context) <= interval)
        {
            return;
        }

        var signIn = context.HttpContext.RequestServices.GetRequiredService<SignInManager<TUser>>();
        if (await signIn.ValidateSecurityStampAsync(context.Principal).ConfigureAwait(false) is not { } user
            || !await IsActorValidAsync(signIn, context.Session).ConfigureAwait(false))
        {
            context.Reject();
            return;
        }

        if (context.Session.Impersonator is null)
        {
            // As Identity does it: what the user may by now.
            var refreshing = new SecurityStampRefreshingPrincipalContext
            {
                CurrentPrincipal = context.Principal,
                NewPrincipal = await signIn.CreateUserPrincipalAsync(user).ConfigureAwait(false),
            };
            await (options.Value.OnRefreshingPrincipal?.Invoke(refreshing) ?? Task.CompletedTask).ConfigureAwait(false);
            if (refreshing.NewPrincipal is not { } principal)
            {
                context.Reject();
                return;
            }

            context.Principal = principal;
        }

        if (interval > TimeSpan.Zero && !context.Session.IsReadOnly)
        {
            context.Properties.Items[CheckedAt] = now.ToString("O", CultureInfo.InvariantCulture);
            context.Session.ReplaceTicket(SessionTicket.Write(IdentityConstants.ApplicationScheme, context.Principal, context.Properties));
        }
    }

    /// <summary>Whether whoever acts as the user is still who they were, too.</summary>
    private static async ValueTask<bool> IsActorValidAsync(SignInManager<TUser> signIn, Session session) =>
        session.Impersonator is null
        || SessionTicket.Read(session.ActorTicket, IdentityConstants.ApplicationScheme) is not { } actor
        || await signIn.ValidateSecurityStampAsync(actor.Principal).ConfigureAwait(false) is not null;

    private static DateTimeOffset? LastCheck(SojournValidateContext context) =>
        context.Properties.Items.TryGetValue(CheckedAt, out var text)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var at)
            ? at
            : context.Properties.IssuedUtc;
}
