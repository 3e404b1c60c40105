using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Sojourn.AspNetCore.Transport;
using Sojourn.Events;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// What device binding does to ordinary requests of one session name: offers it after a sign-in, and lets nobody use a bound session without its device.
/// Thread-safe.
/// </summary>
internal sealed class DeviceBinder(
    DeviceBindingOptions options, BoundCookie cookie, TimedSeal seal, TimeProvider time, SessionEvents events, DeviceBindingMetrics metrics,
    ILogger<DeviceBinder> logger)
{
    private const string Registration = "registration";
    private const string Again = "again";

    /// <summary>Requests that the browser sent before it had the cookie come after the session is bound, and are no copy's.</summary>
    private static readonly TimeSpan OnTheWay = TimeSpan.FromSeconds(10);

    public DeviceBindingOptions Options => options;

    public BoundCookie Cookie => cookie;

    /// <summary>Why the request does not get the session that its token stands for; <see langword="null"/> where it does.</summary>
    public async ValueTask<DeviceRefusal?> CheckAsync(HttpContext context, Session session, IncomingToken incoming)
    {
        if (session.Record is null)
        {
            return null;
        }

        var now = time.GetUtcNow();
        if (session.KnownBinding is not { } binding)
        {
            return options.Policy == DeviceBindingPolicy.Required && session.KnownSubject is not null && !MayRegister(session, now)
                ? Refuse("binding-required", IsPage(context.Request), Forget(session, incoming))
                : null;
        }

        if (cookie.Proves(context.Request, binding.Id, now))
        {
            session.HasDeviceProof = true;
            return null;
        }

        if (now < binding.BoundAt + OnTheWay)
        {
            return null;
        }

        // Only the device knows the binding's id: whoever has copied the cookies cannot say this.
        switch (StructuredHeader.TokenWith(context.Request.Headers["Secure-Session-Skipped"], "session_identifier", binding.Id))
        {
            case "unreachable":
                return Refuse("unreachable");
            case "server_error":
                return Refuse("server-error");
            case "quota_exceeded":
                return Refuse("quota-exceeded");
        }

        // Browsers do not refresh for other origins' requests: a link from elsewhere is no copy, and nobody from elsewhere can have the cookies cleared.
        if (context.Request.Headers["Sec-Fetch-Site"].ToString() is "cross-site" or "same-site")
        {
            return Refuse("link", IsPage(context.Request));
        }

        logger.UnboundUse();
        await events.RaiseAsync(
            SessionEventKind.Suspicious, session.KnownHandle, session.KnownSubject, suspicion: SessionSuspicion.UnboundUse).ConfigureAwait(false);
        return Refuse("unbound-use", IsPage(context.Request), Forget(session, incoming));
    }

    /// <summary>Called when the response starts, after the session's own headers.</summary>
    public void WriteHeaders(HttpContext context, Session session, IncomingToken incoming)
    {
        if (session.DestroyedCookie is not null && incoming.Id is not null)
        {
            cookie.Clear(context.Response);
        }

        var now = time.GetUtcNow();
        if (session is { Record: not null, State: SessionState.Live, KnownSubject: not null, KnownBinding: null }
            && incoming.Transport is CookieTransport
            && context.Request.IsHttps
            && MayRegister(session, now)
            && (!session.IsCalled(incoming.Id) || (IsPage(context.Request) && now >= session.KnownSignedInAt + OnTheWay)))
        {
            // At the sign-in; and with later pages, since a browser tries once for each time that it is told.
            var challenge = seal.Write(Registration, AboutOf(session), now + options.ChallengeLifetime);
            context.Response.Headers.CacheControl = "no-store";
            context.Response.Headers["Secure-Session-Registration"] = $"{DeviceProof.Algorithms};path=\"{options.Path}/register\";challenge=\"{challenge}\"";
        }
    }

    /// <summary>Whether whoever signed in did so a short time ago.</summary>
    public bool MayRegister(Session session, DateTimeOffset now) => session.KnownSignedInAt is { } signedIn && now - signedIn <= options.RegistrationTime;

    /// <summary>Whether a challenge was given to this very sign-in, and is young enough. It is answered once: the session is bound then.</summary>
    public bool IsOurs(string challenge, Session session, DateTimeOffset now) => seal.Holds(Registration, AboutOf(session), challenge, now);

    /// <summary>A challenge that only makes the browser come once more, with the cookies that it has by then.</summary>
    public string ComeAgain(string bindingId, DateTimeOffset now) => seal.Write(Again, bindingId, now + options.ChallengeLifetime);

    /// <summary>Whether this is the second time.</summary>
    public bool HasComeAgain(string challenge, string bindingId, DateTimeOffset now) => seal.Holds(Again, bindingId, challenge, now);

    private static string AboutOf(Session session) => FormattableString.Invariant($"{session.KnownHandle} {session.KnownSignedInAt?.ToUnixTimeMilliseconds()}");

    private static bool IsPage(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && request.Headers["Sec-Fetch-Mode"] == "navigate" && request.Headers["Sec-Fetch-Dest"] == "document";

    private Action<HttpResponse> Forget(Session session, IncomingToken incoming) => response =>
    {
        incoming.Transport.Clear(response, session.Cookie);
        cookie.Clear(response);
    };

    private DeviceRefusal Refuse(string reason, bool asksAgain = false, Action<HttpResponse>? forget = null)
    {
        metrics.Refused(reason);
        var (status, type, title) = reason switch
        {
            "binding-required" => (
                StatusCodes.Status403Forbidden, "urn:sojourn:device-binding-required",
                "Signed-in sessions must be bound to their device here, which this browser did not do."),
            "unbound-use" or "link" => (
                StatusCodes.Status401Unauthorized, "urn:sojourn:device-proof-required",
                "The session is bound to a device, and the request does not prove that it comes from it."),
            _ => (
                StatusCodes.Status503ServiceUnavailable, "urn:sojourn:device-proof-unavailable",
                "The browser could not prove its device just now. Please try again."),
        };
        return new DeviceRefusal(status, type, title) { AsksAgain = asksAgain, Forget = forget };
    }
}
