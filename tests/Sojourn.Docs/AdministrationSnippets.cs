using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Events;

namespace Sojourn.Docs;

internal sealed class AuditLog : ISessionEventHandler
{
    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken) => default;
}

internal static class AdministrationSnippets
{
    public static void Endpoints(WebApplication app)
    {
        #region administration
        app.MapGet("/devices", async (Session session, ISessionAdministration sessions) =>
            await sessions.ListAsync(session.Subject!, current: session)).RequireSignIn();
        app.MapPost("/password", async (Session session, ISessionAdministration sessions, [FromForm] string password) =>
        {
            // … store the password, then:
            await sessions.EndOthersAsync(session, SessionEndReason.CredentialsChanged);
        });
        app.MapPost("/operator/end/{user}", async (ISessionAdministration sessions, string user) =>
            await sessions.EndAsync(new SessionFilter { Subject = user })).RequireAuthorization("operators");
        #endregion

        #region account
        app.MapSojournAccount("/account/sessions");
        #endregion

        #region step-up
        app.MapPost("/password/change", () => "changed").RequireFreshSignIn(TimeSpan.FromMinutes(5));
        app.MapPost("/confirm", async (Session session) => await session.ConfirmSignInAsync()).RequireSignIn();   // once the password is checked
        #endregion
    }

    public static void Limit(WebApplicationBuilder builder)
    {
        #region limit
        builder.Services.AddSojourn(o =>
        {
            o.MaxSessionsPerSubject = 3;
            o.WhenTooManySessions = SessionLimitPolicy.EndOldest;   // or EndLeastRecentlyUsed, the default, or Reject
        });
        #endregion

        #region events
        builder.Services.AddSojourn()
            .AddEventHandler<AuditLog>()      // awaited by the request, after it happened
            .AddEventChannel();               // or read at leisure from SessionEventChannel.Reader
        #endregion
    }
}
