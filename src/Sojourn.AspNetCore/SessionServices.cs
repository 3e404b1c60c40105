using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>What every request's session is served by: one instance for the application.</summary>
internal sealed class SessionServices(SessionManager manager, SessionTransport transport, IOptions<SojournOptions> options, TimeProvider time, ILogger<SessionServices> logger, ExpressRules? express = null)
{
    public SessionManager Manager => manager;

    public SessionTransport Transport => transport;

    public SojournOptions Options { get; } = options.Value;

    public TimeProvider Time => time;

    /// <summary>express-session's rules, where they were asked for.</summary>
    public ExpressRules? Express => express;

    public ILogger Logger => logger;
}

/// <summary>Leads from the request's services to the request's session.</summary>
internal sealed class SessionHolder
{
    public SessionFeature? Feature { get; set; }

    public Session Session => Feature?.Current ?? throw new InvalidOperationException(
        "There is no session here: the endpoint says WithoutSession, UseSojourn is missing or comes later, or this is no request. Outside a request use SessionManager.");
}
