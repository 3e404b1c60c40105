using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Authentication.Tickets;

/// <summary>What a request and the ticket store know of each other: the session of the request's ticket, and whether somebody is just signing in.</summary>
internal sealed class TicketRequest(HttpContext context, SessionServices services) : ISessionHost
{
    /// <summary>The session of the ticket that the request came with, or was given.</summary>
    public Session? Session { get; set; }

    public bool IsSigningIn { get; set; }

    public DateTimeOffset? BeganAt { get; } = services.Time.GetUtcNow();

    public SessionDevice? Device => RequestDevice.Of(context, services.Options.KeepDevice);

    /// <summary>The cookie is the cookie handler's, which has one to send whenever it asks the store.</summary>
    public bool CanSendCookie => true;

    public CancellationToken Aborted => context.RequestAborted;

    public static TicketRequest Begin(HttpContext context, SessionServices services, string scheme)
    {
        var request = new TicketRequest(context, services);
        context.Items[(typeof(TicketRequest), scheme)] = request;
        return request;
    }

    public static TicketRequest? Find(HttpContext context, string scheme) => context.Items[(typeof(TicketRequest), scheme)] as TicketRequest;

    public static TicketRequest Of(HttpContext context, SessionServices services, string scheme) => Find(context, scheme) ?? Begin(context, services, scheme);

    public bool CountsAsActivity => services.Endpoints.Of(context)?.CountsAsActivity ?? true;

    public void OnUsed()
    {
    }

    public void OnWatched(IDisposable watch) => context.Response.RegisterForDispose(watch);

    public string NewId() => SessionId.New();

    public SessionCookie NewCookie() => services.Options.Cookie.ToSessionCookie(isSecure: true, services.Time);
}
