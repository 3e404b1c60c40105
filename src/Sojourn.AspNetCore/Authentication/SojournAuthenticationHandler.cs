using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Events;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>Keeps the signed-in user in the session's document: one cookie, small, and gone with the session.</summary>
internal sealed class SojournAuthenticationHandler(IOptionsMonitor<SojournAuthenticationOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : SignInAuthenticationHandler<SojournAuthenticationOptions>(options, logger, encoder)
{
    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (await SessionFeature.BeginAsync(Context).ConfigureAwait(false) is not { } feature)
        {
            return AuthenticateResult.NoResult();
        }

        if (feature.LoadFailure is { } failure)
        {
            return AuthenticateResult.Fail(failure);
        }

        var session = feature.Current;
        if (!session.HasTicket || SessionTicket.Read(session.Ticket, Scheme.Name) is not { } ticket)
        {
            return AuthenticateResult.NoResult();
        }

        if (Options.OnValidate is { } validate)
        {
            var context = new SojournValidateContext(Context, session, ticket.Principal, ticket.Properties);
            await validate(context).ConfigureAwait(false);
            if (context.IsRejected)
            {
                // Also where the endpoint only reads.
                session.IsReadOnly = false;
                await EndAsync(feature, SessionEndReason.CredentialsChanged).ConfigureAwait(false);
                return AuthenticateResult.Fail("The application no longer accepts the session's user.");
            }

            ticket = new AuthenticationTicket(context.Principal, ticket.Properties, Scheme.Name);
        }

        return AuthenticateResult.Success(ticket);
    }

    protected override async Task HandleSignInAsync(ClaimsPrincipal user, AuthenticationProperties? properties)
    {
        ArgumentNullException.ThrowIfNull(user);
        properties ??= new();
        var subject = UserClaims.RequireSubject(user, Options.Subject, "SojournAuthenticationOptions.Subject");
        var feature = await BeginAsync().ConfigureAwait(false);
        properties.IssuedUtc ??= TimeProvider.GetUtcNow();
        var signIn = new SessionSignIn
        {
            KeepsEntries = Options.KeepsEntries,
            IsPersistent = properties.IsPersistent,
            AbsoluteTimeout = properties.ExpiresUtc - TimeProvider.GetUtcNow(),
        };
        UserClaims.AddLabels(signIn, user, Options.LabelClaims);
        if (Options.OnSigningIn is { } signingIn)
        {
            await signingIn(new SojournSigningInContext(Context, user, properties, signIn)).ConfigureAwait(false);
        }

        signIn.Ticket = SessionTicket.Write(Scheme.Name, user, properties);
        try
        {
            await feature.BeginAfterEndAsync().ConfigureAwait(false);

            // A client that goes away does not leave it unknown whether it is signed in.
            await feature.Current.SignInAsync(subject, signIn, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (feature.TakesOver(e))
        {
            return;
        }

        RedirectBack(properties, Options.LoginPath);
    }

    protected override async Task HandleSignOutAsync(AuthenticationProperties? properties)
    {
        if (await SessionFeature.BeginAsync(Context).ConfigureAwait(false) is { } feature
            && await EndAsync(feature, SessionEndReason.SignedOut).ConfigureAwait(false))
        {
            if (Options.ClearsSiteData && Request.IsHttps)
            {
                Response.Headers["Clear-Site-Data"] = "\"cache\", \"storage\"";
            }

            RedirectBack(properties ?? new(), Options.LogoutPath);
        }
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (!await AnswerFailureAsync().ConfigureAwait(false))
        {
            await RefuseAsync(properties, StatusCodes.Status401Unauthorized, Options.LoginPath).ConfigureAwait(false);
        }
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        if (!await AnswerFailureAsync().ConfigureAwait(false))
        {
            await RefuseAsync(properties, StatusCodes.Status403Forbidden, Options.AccessDeniedPath).ConfigureAwait(false);
        }
    }

    private async ValueTask<SessionFeature> BeginAsync() => await SessionFeature.BeginAsync(Context).ConfigureAwait(false)
        ?? throw new InvalidOperationException("The endpoint says WithoutSession, so nobody can sign in to one there.");

    private static async ValueTask<bool> EndAsync(SessionFeature feature, SessionEndReason reason)
    {
        try
        {
            await feature.Current.DestroyAsync(reason, CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (feature.TakesOver(e))
        {
            return false;
        }
    }

    /// <summary>A store that fails makes nobody a stranger: 503, not the sign-in page.</summary>
    private async ValueTask<bool> AnswerFailureAsync()
    {
        if (SessionFeature.Of(Context) is not { LoadFailure: { } failure } feature)
        {
            return false;
        }

        await feature.AnswerAsync(failure).ConfigureAwait(false);
        return true;
    }

    private async Task RefuseAsync(AuthenticationProperties properties, int status, PathString page)
    {
        if (!page.HasValue || IsNoPage())
        {
            Response.StatusCode = status;
            Response.Headers.CacheControl = "no-store";
            await TypedResults.Problem(statusCode: status).ExecuteAsync(Context).ConfigureAwait(false);
            return;
        }

        var back = string.IsNullOrEmpty(properties.RedirectUri) ? OriginalPathBase + OriginalPath + Request.QueryString : properties.RedirectUri;
        Response.Redirect(BuildRedirectUri(page) + QueryString.Create(Options.ReturnUrlParameter, back));
    }

    private bool IsNoPage()
    {
        const string Script = "XMLHttpRequest";
        var metadata = Context.GetEndpoint()?.Metadata;
        return Request.Headers.XRequestedWith == Script
            || Request.Query["X-Requested-With"] == Script
            || (metadata?.GetMetadata<IDisableCookieRedirectMetadata>() is not null && metadata.GetMetadata<IAllowCookieRedirectMetadata>() is null);
    }

    /// <summary>To where the caller says; and, on the page of that purpose, to where its own query says, within the site.</summary>
    private void RedirectBack(AuthenticationProperties properties, PathString page)
    {
        var target = properties.RedirectUri;
        if (string.IsNullOrEmpty(target)
            && page.HasValue
            && OriginalPath == page
            && Request.Query[Options.ReturnUrlParameter].ToString() is { Length: > 0 } wanted
            && IsLocal(wanted))
        {
            target = wanted;
        }

        if (!string.IsNullOrEmpty(target))
        {
            Response.Redirect(target);
        }
    }

    /// <summary>A path of this site, and nothing that a browser takes for another one.</summary>
    private static bool IsLocal(string url) =>
        url[0] == '/' && (url.Length == 1 || url[1] is not ('/' or '\\')) && !url.AsSpan().ContainsAnyInRange('\0', '\x1f');
}
