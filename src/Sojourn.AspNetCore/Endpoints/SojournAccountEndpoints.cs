using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.Endpoints;
using Sojourn.Events;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Endpoints at which users see their sessions and end them.</summary>
public static class SojournAccountEndpoints
{
    private static readonly TimeSpan DefaultFreshness = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Maps, for the user who is signed in:
    /// <list type="bullet">
    /// <item><c>GET {prefix}</c>: their sessions as JSON, the one used last first; handles, times, devices, and nothing that could be replayed.</item>
    /// <item><c>POST {prefix}/{handle}/end</c>: ends one of them; 404 for anybody else's.</item>
    /// <item><c>POST {prefix}/others/end</c>: ends all but this one.</item>
    /// </list>
    /// Ending needs a fresh sign-in (401 problem details <c>urn:sojourn:fresh-sign-in-required</c>), a request of the same origin, and an antiforgery token
    /// where the application has antiforgery and does not switch it off here (<c>DisableAntiforgery</c>).
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="prefix">The path, such as <c>/account/sessions</c>.</param>
    /// <param name="freshSignIn">How long ago the user may have proved who they are, to end a session; 15 minutes by default.</param>
    /// <returns>The endpoints.</returns>
    public static IEndpointConventionBuilder MapSojournAccount(
        this IEndpointRouteBuilder endpoints, string prefix = "/account/sessions", TimeSpan? freshSignIn = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var group = endpoints.MapGroup(prefix);
        group.MapGet("", (RequestDelegate)ListAsync).RequireSignIn();
        group.MapPost("others/end", (RequestDelegate)EndOthersAsync).RequireFreshSignIn(freshSignIn ?? DefaultFreshness);
        group.MapPost("{handle}/end", (RequestDelegate)EndAsync).RequireFreshSignIn(freshSignIn ?? DefaultFreshness);
        return group;
    }

    private static async Task ListAsync(HttpContext context)
    {
        var session = context.GetSession();
        var sessions = await Administration(context).ListAsync(session.Subject!, session, context.RequestAborted).ConfigureAwait(false);
        await TypedResults.Json([.. sessions.Select(AccountSession.Of)], AccountJson.Default.AccountSessionArray).ExecuteAsync(context).ConfigureAwait(false);
    }

    private static async Task EndOthersAsync(HttpContext context)
    {
        if (await RefuseForeignAsync(context).ConfigureAwait(false))
        {
            return;
        }

        var ended = await Administration(context).EndOthersAsync(context.GetSession(), SessionEndReason.ByUser, CancellationToken.None).ConfigureAwait(false);
        await TypedResults.Json(new AccountEnded(ended), AccountJson.Default.AccountEnded).ExecuteAsync(context).ConfigureAwait(false);
    }

    private static async Task EndAsync(HttpContext context)
    {
        if (await RefuseForeignAsync(context).ConfigureAwait(false))
        {
            return;
        }

        var session = context.GetSession();
        var handle = (string)context.GetRouteValue("handle")!;
        if (handle == session.Handle)
        {
            await session.DestroyAsync(SessionEndReason.SignedOut, CancellationToken.None).ConfigureAwait(false);
        }
        else if (!await EndOwnAsync(context, session.Subject!, handle).ConfigureAwait(false))
        {
            await TypedResults.Problem(
                statusCode: StatusCodes.Status404NotFound, title: "There is no such session of yours.").ExecuteAsync(context).ConfigureAwait(false);
            return;
        }

        await TypedResults.Json(new AccountEnded(1), AccountJson.Default.AccountEnded).ExecuteAsync(context).ConfigureAwait(false);
    }

    /// <summary>Looks first whose it is: ending somebody else's is not even begun.</summary>
    private static async ValueTask<bool> EndOwnAsync(HttpContext context, string subject, string handle)
    {
        var own = await Administration(context).ListAsync(subject, cancellationToken: context.RequestAborted).ConfigureAwait(false);
        var filter = new SessionFilter { Handle = handle, Subject = subject };
        return own.Any(session => session.Handle == handle)
            && await Administration(context).EndAsync(filter, SessionEndReason.ByUser, CancellationToken.None).ConfigureAwait(false) > 0;
    }

    private static ISessionAdministration Administration(HttpContext context) => context.RequestServices.GetRequiredService<ISessionAdministration>();

    private static async ValueTask<bool> RefuseForeignAsync(HttpContext context)
    {
        if (!SameOrigin.Holds(context.Request))
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, "The request comes from another site.").ConfigureAwait(false);
            return true;
        }

        if (context.GetEndpoint()?.Metadata.GetMetadata<IAntiforgeryMetadata>() is { RequiresValidation: false }
            || context.RequestServices.GetService<IAntiforgery>() is not { } antiforgery
            || await antiforgery.IsRequestValidAsync(context).ConfigureAwait(false))
        {
            return false;
        }

        await RefuseAsync(context, StatusCodes.Status400BadRequest, "The antiforgery token is missing or is not valid.").ConfigureAwait(false);
        return true;
    }

    private static Task RefuseAsync(HttpContext context, int status, string title) =>
        TypedResults.Problem(statusCode: status, title: title).ExecuteAsync(context);
}
