using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Events;

namespace Sojourn.AspNetCore.Authentication.BackChannel;

/// <summary>Ends the sessions that a provider says have ended: OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8. Thread-safe.</summary>
internal sealed class BackChannelLogout(SojournBackChannelLogoutOptions options)
{
    private const int MaxBodyBytes = 64 * 1024;

    public async Task AnswerAsync(HttpContext context)
    {
        var services = context.RequestServices.GetRequiredService<SessionServices>();
        context.Response.Headers.CacheControl = "no-store";
        try
        {
            await LogOutAsync(context, services).ConfigureAwait(false);
        }
        catch (LogoutTokenException e)
        {
            services.Logger.LogoutTokenRefused(e.Message);
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$"""{"error":"invalid_request","error_description":"{{e.Message}}"}""").ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            await SessionFailure.AnswerAsync(context, e, services.Logger).ConfigureAwait(false);
        }
    }

    private async Task LogOutAsync(HttpContext context, SessionServices services)
    {
        var text = await ReadAsync(context).ConfigureAwait(false);
        using var keys = JsonDocument.Parse(await options.JsonWebKeys!(context).ConfigureAwait(false));
        var token = LogoutToken.Validate(text, options, keys.RootElement, services.Time.GetUtcNow());

        // By a hash: a provider's jti may be of any length and form.
        var name = "logout:" + Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{token.Issuer}\0{token.Id}")));
        if (!await services.Manager.TakeOnceAsync(name, CancellationToken.None).ConfigureAwait(false))
        {
            throw new LogoutTokenException("was used before");
        }

        var isDone = false;
        try
        {
            await EndAsync(context, token).ConfigureAwait(false);
            isDone = true;
        }
        finally
        {
            if (!isDone)
            {
                // The provider may try again with the same token.
                await services.Manager.GiveBackAsync(name).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask EndAsync(HttpContext context, LogoutToken token)
    {
        // The session id is the provider's own and names one session; a subject without it names all of theirs.
        var filter = token.SessionId is { } session ? new SessionFilter { Label = $"{options.LabelKind}:{session}" }
            : await options.Subject(context, token.Subject!).ConfigureAwait(false) is { Length: > 0 } subject ? new SessionFilter { Subject = subject }
            : null;
        if (filter is not null)
        {
            await context.RequestServices.GetRequiredService<ISessionAdministration>().EndAsync(
                filter, SessionEndReason.ByProvider, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static async ValueTask<string> ReadAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = MaxBodyBytes;
        }

        if (!context.Request.HasFormContentType)
        {
            throw new LogoutTokenException("is missing: it comes as the form field logout_token");
        }

        try
        {
            var form = await context.Request.ReadFormAsync(context.RequestAborted).ConfigureAwait(false);
            return form["logout_token"] is [{ Length: > 0 } token]
                ? token
                : throw new LogoutTokenException("is missing: it comes as the form field logout_token");
        }
        catch (Exception e) when (e is BadHttpRequestException or InvalidDataException)
        {
            throw new LogoutTokenException("comes in a form that cannot be read");
        }
    }
}
