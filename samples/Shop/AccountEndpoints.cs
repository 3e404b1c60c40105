using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Sojourn;
using Sojourn.Administration;
using Sojourn.Events;

namespace Shop;

/// <summary>What the buttons of the account's and the operator's pages do, each with what it requires.</summary>
public static class AccountEndpoints
{
    public static void MapAccount(this IEndpointRouteBuilder app, TimeSpan freshSignIn)
    {
        var forms = app.MapGroup("").DisableAntiforgery(); // SameOriginWrites guards them.
        forms.MapPost("/sign-out", SignOut);
        forms.MapPost("/account/end", EndAsync).RequireFreshSignIn(freshSignIn, "/confirm?ReturnUrl=/account");
        forms.MapPost("/account/end-others", EndOthersAsync).RequireFreshSignIn(freshSignIn, "/confirm?ReturnUrl=/account");
        forms.MapPost("/operator/act-as", ActAsAsync)
            .RequireAuthorization(new AuthorizeAttribute { Roles = Users.Operator })
            .RequireFreshSignIn(freshSignIn, "/confirm?ReturnUrl=/operator");
        forms.MapPost("/operator/come-back", ComeBackAsync);
    }

    private static IResult SignOut() => Results.SignOut(new() { RedirectUri = "/" });

    private static async Task<IResult> EndAsync(Session session, ISessionAdministration sessions, [FromForm] string handle)
    {
        // The subject is part of the question, so that nobody ends a stranger's session by its handle.
        var ended = await sessions.EndAsync(new SessionFilter { Handle = handle, Subject = session.Subject, Except = session.Handle }, SessionEndReason.ByUser);
        session.Flash("notice", ended > 0 ? "That device is signed out." : "That device was signed out already.");
        return Results.LocalRedirect("/account");
    }

    private static async Task<IResult> EndOthersAsync(Session session, ISessionAdministration sessions)
    {
        await sessions.EndOthersAsync(session);
        session.Flash("notice", "All other devices are signed out.");
        return Results.LocalRedirect("/account");
    }

    private static async Task<IResult> ActAsAsync(HttpContext context, Users users, [FromForm] string name)
    {
        // Operators act as customers, never as one another.
        if (users.Find(name) is not { IsOperator: false } user)
        {
            return Results.NotFound();
        }

        await context.ImpersonateAsync(user.ToPrincipal());
        return Results.LocalRedirect("/");
    }

    private static async Task<IResult> ComeBackAsync(HttpContext context, Session session)
    {
        // A second click finds that it is done.
        if (session.Impersonator is null)
        {
            return Results.LocalRedirect("/");
        }

        await context.StopImpersonatingAsync();
        return Results.LocalRedirect("/operator");
    }
}
