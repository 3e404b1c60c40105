using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Administration;
using Sojourn.AspNetCore.Authentication.Tickets;
using Sojourn.Events;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>
/// ASP.NET Core Identity's user manager, which ends the user's sessions when what they prove themselves with has changed. The session of the request stays
/// where it is the user's, under a new id; a sign-in with what was right before the change is undone. Registered by <c>AddSojournSessions</c>; an application's
/// own user manager derives from it.
/// </summary>
/// <remarks>
/// The methods throw <see cref="SessionStoreException"/> when the change is made and the sessions could not be ended; the check of the security stamp ends them
/// later then.
/// </remarks>
/// <typeparam name="TUser">The application's user.</typeparam>
/// <param name="store">Where users are.</param>
/// <param name="optionsAccessor">Identity's options.</param>
/// <param name="passwordHasher">Hashes passwords.</param>
/// <param name="userValidators">Check users.</param>
/// <param name="passwordValidators">Check passwords.</param>
/// <param name="keyNormalizer">Normalises names.</param>
/// <param name="errors">Describes errors.</param>
/// <param name="services">The request's services.</param>
/// <param name="logger">Identity's log.</param>
public class SojournUserManager<TUser>(
    IUserStore<TUser> store,
    IOptions<IdentityOptions> optionsAccessor,
    IPasswordHasher<TUser> passwordHasher,
    IEnumerable<IUserValidator<TUser>> userValidators,
    IEnumerable<IPasswordValidator<TUser>> passwordValidators,
    ILookupNormalizer keyNormalizer,
    IdentityErrorDescriber errors,
    IServiceProvider services,
    ILogger<UserManager<TUser>> logger)
    : UserManager<TUser>(store, optionsAccessor, passwordHasher, userValidators, passwordValidators, keyNormalizer, errors, services, logger)
    where TUser : class
{
    private readonly IServiceProvider _services = services;

    /// <inheritdoc/>
    public override async Task<IdentityResult> AddPasswordAsync(TUser user, string password) =>
        await EndOthersAsync(user, await base.AddPasswordAsync(user, password).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> ChangePasswordAsync(TUser user, string currentPassword, string newPassword) =>
        await EndOthersAsync(user, await base.ChangePasswordAsync(user, currentPassword, newPassword).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> RemovePasswordAsync(TUser user) =>
        await EndOthersAsync(user, await base.RemovePasswordAsync(user).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> ResetPasswordAsync(TUser user, string token, string newPassword) =>
        await EndOthersAsync(user, await base.ResetPasswordAsync(user, token, newPassword).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> UpdateSecurityStampAsync(TUser user) =>
        await EndOthersAsync(user, await base.UpdateSecurityStampAsync(user).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> SetTwoFactorEnabledAsync(TUser user, bool enabled) =>
        await EndOthersAsync(user, await base.SetTwoFactorEnabledAsync(user, enabled).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> ResetAuthenticatorKeyAsync(TUser user) =>
        await EndOthersAsync(user, await base.ResetAuthenticatorKeyAsync(user).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> RemoveLoginAsync(TUser user, string loginProvider, string providerKey) =>
        await EndOthersAsync(user, await base.RemoveLoginAsync(user, loginProvider, providerKey).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> SetUserNameAsync(TUser user, string? userName) =>
        await EndOthersAsync(user, await base.SetUserNameAsync(user, userName).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> SetEmailAsync(TUser user, string? email) =>
        await EndOthersAsync(user, await base.SetEmailAsync(user, email).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> ChangeEmailAsync(TUser user, string newEmail, string token) =>
        await EndOthersAsync(user, await base.ChangeEmailAsync(user, newEmail, token).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> SetPhoneNumberAsync(TUser user, string? phoneNumber) =>
        await EndOthersAsync(user, await base.SetPhoneNumberAsync(user, phoneNumber).ConfigureAwait(false)).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<IdentityResult> ChangePhoneNumberAsync(TUser user, string phoneNumber, string token) =>
        await EndOthersAsync(user, await base.ChangePhoneNumberAsync(user, phoneNumber, token).ConfigureAwait(false)).ConfigureAwait(false);

    private async Task<IdentityResult> EndOthersAsync(TUser user, IdentityResult result)
    {
        if (!result.Succeeded)
        {
            return result;
        }

        // A client that goes away does not leave the old sessions alive.
        var subject = await GetUserIdAsync(user).ConfigureAwait(false);
        var own = await FindOwnAsync(subject).ConfigureAwait(false);
        var filter = new SessionFilter { Subject = subject, Except = own?.Handle };
        await _services.GetRequiredService<ISessionAdministration>().EndAsync(
            filter, SessionEndReason.CredentialsChanged, CancellationToken.None).ConfigureAwait(false);
        if (own is not null)
        {
            // The session that stays gets a new id, and the user's new stamp.
            await _services.GetRequiredService<SignInManager<TUser>>().RefreshSignInAsync(user).ConfigureAwait(false);
        }

        return result;
    }

    /// <summary>The session of the request, where the user is signed in to it as themselves: on the session itself, or by a ticket.</summary>
    private async ValueTask<Session?> FindOwnAsync(string subject)
    {
        if (_services.GetService<IHttpContextAccessor>()?.HttpContext is not { Response.HasStarted: false } context)
        {
            return null;
        }

        Session?[] sessions =
        [
            await SessionFeature.BeginAsync(context).ConfigureAwait(false) is { LoadFailure: null } feature ? feature.Current : null,
            TicketRequest.Find(context, IdentityConstants.ApplicationScheme)?.Session,
        ];
        return Array.Find(
            sessions, session => session is { State: SessionState.Live, HasTicket: true } && session.Subject == subject && session.Impersonator is null);
    }
}
