using System.Runtime.ExceptionServices;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Authentication.Tickets;

/// <summary>
/// Cookie authentication, but for two things. A sign-in gets a new key: the handler of the framework renews the ticket under the key that the request came
/// with, which somebody else may have planted. And a store that fails makes nobody a stranger.
/// </summary>
internal sealed class TicketCookieHandler : CookieAuthenticationHandler, IAuthenticationRequestHandler
{
    private readonly ILoggerFactory _loggers;
    private readonly SessionServices _services;
    private TicketRequest? _request;
    private CookieAuthenticationHandler? _signedIn;
    private SessionStoreException? _failure;

    public TicketCookieHandler(IOptionsMonitor<CookieAuthenticationOptions> options, ILoggerFactory loggers, UrlEncoder encoder, SessionServices services)
        : base(options, loggers, encoder)
    {
        _loggers = loggers;
        _services = services;
    }

    /// <summary>
    /// Where this is the default scheme every request is authenticated by it: one whose ticket cannot be read is answered here, and does not go on as a
    /// stranger's.
    /// </summary>
    public async Task<bool> HandleRequestAsync()
    {
        var schemes = Context.RequestServices.GetRequiredService<IAuthenticationSchemeProvider>();
        if ((await schemes.GetDefaultAuthenticateSchemeAsync().ConfigureAwait(false))?.Name == Scheme.Name)
        {
            await AuthenticateAsync().ConfigureAwait(false);
        }

        return await AnswerFailureAsync().ConfigureAwait(false);
    }

    protected override Task InitializeHandlerAsync()
    {
        _request = TicketRequest.Begin(Context, _services, Scheme.Name);
        return base.InitializeHandlerAsync();
    }

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        try
        {
            return await base.HandleAuthenticateAsync().ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            _failure = e;
            return AuthenticateResult.Fail(e);
        }
    }

    protected override async Task HandleSignInAsync(ClaimsPrincipal user, AuthenticationProperties? properties)
    {
        // A handler that has not read the request's cookie, and to which the store gives none of it, asks the store for a new key.
        var handler = new CookieAuthenticationHandler(OptionsMonitor, _loggers, UrlEncoder);
        await handler.InitializeAsync(Scheme, Context).ConfigureAwait(false);
        _request!.IsSigningIn = true;
        try
        {
            await handler.SignInAsync(user, properties).ConfigureAwait(false);
            _signedIn = handler;
        }
        catch (Exception e) when (SessionFailure.IsOurs(e))
        {
            await FailAsync(e).ConfigureAwait(false);
        }
        finally
        {
            _request.IsSigningIn = false;
        }
    }

    protected override async Task HandleSignOutAsync(AuthenticationProperties? properties)
    {
        try
        {
            // Who signed in during this request is signed out, and not who came with it.
            await (_signedIn?.SignOutAsync(properties) ?? base.HandleSignOutAsync(properties)).ConfigureAwait(false);
        }
        catch (Exception e) when (SessionFailure.IsOurs(e))
        {
            await FailAsync(e).ConfigureAwait(false);
        }
    }

    protected override async Task FinishResponseAsync()
    {
        if (_signedIn is not null || _failure is not null)
        {
            return;
        }

        try
        {
            await base.FinishResponseAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (SessionFailure.IsOurs(e))
        {
            // The ticket is good for as long as it was before, and the next request tries again.
            _services.Logger.TicketNotRenewed(e);
        }
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (!await AnswerFailureAsync().ConfigureAwait(false))
        {
            await base.HandleChallengeAsync(properties).ConfigureAwait(false);
        }
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        if (!await AnswerFailureAsync().ConfigureAwait(false))
        {
            await base.HandleForbiddenAsync(properties).ConfigureAwait(false);
        }
    }

    private async ValueTask<bool> AnswerFailureAsync()
    {
        if (_failure is not null)
        {
            await SessionFailure.AnswerAsync(Context, _failure, _services.Logger).ConfigureAwait(false);
        }

        return _failure is not null;
    }

    /// <summary>Whatever the caller goes on to answer, it is the failure's status that is sent; within UseSojourn the exception goes there.</summary>
    private async ValueTask FailAsync(Exception failure)
    {
        if (await SessionFeature.BeginAsync(Context).ConfigureAwait(false) is not { } feature || !feature.TakesOver(failure))
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}
