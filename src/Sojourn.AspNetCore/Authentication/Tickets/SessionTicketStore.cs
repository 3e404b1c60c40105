using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;
using Sojourn.Events;

namespace Sojourn.AspNetCore.Authentication.Tickets;

/// <summary>Keeps each ticket of cookie authentication as a session of its own; the key that the cookie carries is the session's id. Thread-safe.</summary>
/// <remarks>
/// The cookie handler passes on the request's cancellation, which would leave it unknown who is signed in: what changes a session is not cancelled.
/// </remarks>
internal sealed class SessionTicketStore(
    SessionServices services, string scheme, SojournTicketOptions options, CookieAuthenticationOptions cookie) : ITicketStore
{
    private static readonly TimeSpan MinIdle = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxIdle = TimeSpan.FromDays(400);

    public async Task<AuthenticationTicket?> RetrieveAsync(string key, HttpContext httpContext, CancellationToken cancellationToken)
    {
        var request = TicketRequest.Of(httpContext, services, scheme);
        if (await FindAsync(request, key, cancellationToken).ConfigureAwait(false) is not { } session
            || SessionTicket.Read(session.Ticket, scheme) is not { } ticket)
        {
            return null;
        }

        request.Session = session;
        if (request.IsSigningIn)
        {
            // Whoever signs in gets a new key, whosever the old one was; the handler would go on with it.
            return null;
        }

        // The request uses the session: its idle deadline moves where that is due.
        await services.Manager.CommitAsync(session, CancellationToken.None).ConfigureAwait(false);
        return session.State == SessionState.Live ? ticket : null;
    }

    public async Task<string> StoreAsync(AuthenticationTicket ticket, HttpContext httpContext, CancellationToken cancellationToken)
    {
        var request = TicketRequest.Of(httpContext, services, scheme);
        var subject = SubjectOf(ticket);
        var signIn = new SessionSignIn { KeepsEntries = false, IsPersistent = ticket.Properties.IsPersistent };
        SetDeadlines(signIn, ticket.Properties);
        UserClaims.AddLabels(signIn, ticket.Principal, options.LabelClaims);
        if (options.OnSigningIn is { } signingIn)
        {
            await signingIn(new SojournSigningInContext(httpContext, ticket.Principal, ticket.Properties, signIn)).ConfigureAwait(false);
        }

        signIn.Ticket = SessionTicket.Write(scheme, ticket.Principal, ticket.Properties);
        if (request.Session is { State: SessionState.Live } before && before.Subject != subject)
        {
            await before.DestroyAsync(SessionEndReason.SignedOut, CancellationToken.None).ConfigureAwait(false);
            request.Session = null;
        }

        var session = request.Session is { State: SessionState.Live } own ? own : services.Manager.Create(request);
        await session.SignInAsync(subject, signIn, CancellationToken.None).ConfigureAwait(false);
        request.Session = session;
        return session.Id;
    }

    public async Task RenewAsync(string key, AuthenticationTicket ticket, HttpContext httpContext, CancellationToken cancellationToken)
    {
        var request = TicketRequest.Of(httpContext, services, scheme);
        if (await FindAsync(request, key, CancellationToken.None).ConfigureAwait(false) is not { } session)
        {
            return;
        }

        if (session.Subject != SubjectOf(ticket))
        {
            throw new InvalidOperationException("A ticket is renewed for the user whose it is. Sign the other user in with SignInAsync.");
        }

        session.ReplaceTicket(SessionTicket.Write(scheme, ticket.Principal, ticket.Properties));
        await session.SaveAsync(CancellationToken.None).ConfigureAwait(false);
    }

    public async Task RemoveAsync(string key, HttpContext httpContext, CancellationToken cancellationToken)
    {
        if (await FindAsync(TicketRequest.Of(httpContext, services, scheme), key, CancellationToken.None).ConfigureAwait(false) is { } session)
        {
            await session.DestroyAsync(SessionEndReason.SignedOut, CancellationToken.None).ConfigureAwait(false);
        }
    }

    Task<string> ITicketStore.StoreAsync(AuthenticationTicket ticket) => throw NoRequest();

    Task ITicketStore.RenewAsync(string key, AuthenticationTicket ticket) => throw NoRequest();

    Task<AuthenticationTicket?> ITicketStore.RetrieveAsync(string key) => throw NoRequest();

    Task ITicketStore.RemoveAsync(string key) => throw NoRequest();

    private static NotSupportedException NoRequest() =>
        new("Tickets are read and written in a request, by cookie authentication. Elsewhere use ISessionAdministration.");

    private string SubjectOf(AuthenticationTicket ticket) => UserClaims.RequireSubject(ticket.Principal, options.Subject, "SojournTicketOptions.Subject");

    /// <summary>What the cookie handler says of the ticket is how long the session lives without use, or, where the ticket is not renewed, at all.</summary>
    private void SetDeadlines(SessionSignIn signIn, AuthenticationProperties properties)
    {
        if (properties.ExpiresUtc - services.Time.GetUtcNow() is not { } lifetime)
        {
            return;
        }

        signIn.IdleTimeout = TimeSpan.FromTicks(Math.Clamp(lifetime.Ticks, MinIdle.Ticks, MaxIdle.Ticks));
        var absolute = signIn.IsPersistent ? services.Options.RememberMe.AbsoluteTimeout : services.Options.AbsoluteTimeout;
        if (!(cookie.SlidingExpiration && properties.AllowRefresh is not false) && !(absolute < signIn.IdleTimeout))
        {
            signIn.AbsoluteTimeout = signIn.IdleTimeout;
        }
    }

    private async ValueTask<Session?> FindAsync(TicketRequest request, string key, CancellationToken cancellationToken)
    {
        if (request.Session is { State: SessionState.Live } known && known.IsCalled(key))
        {
            return known;
        }

        var session = await services.Manager.LoadAsync(key, services.Manager.KeyOf(key), request, isCopyEnough: true, cancellationToken).ConfigureAwait(false);
        return session is { HasTicket: true } ? session : null;
    }
}
