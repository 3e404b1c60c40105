using Microsoft.AspNetCore.SignalR;
using Sojourn;
using Sojourn.AspNetCore.LiveConnections;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>SignalR connections that close when their session ends.</summary>
public static class SojournSignalRExtensions
{
    /// <summary>
    /// Breaks off the connections of all hubs when the session that they were opened with ends (<see cref="Sojourn.Session.Ended"/>), whatever their transport.
    /// Clients are told not to reconnect. A connection without a stored session has nothing that could end.
    /// </summary>
    /// <param name="builder">What <c>AddSignalR</c> returns.</param>
    /// <param name="keepAlive">
    /// Whether an open connection keeps the session from ending for want of use (<see cref="Sojourn.Session.KeepAlive"/>); false by default.
    /// </param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The same.</returns>
    public static ISignalRServerBuilder CloseWhenSessionEnds(this ISignalRServerBuilder builder, bool keepAlive = false, string session = "")
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(session);
        builder.Services.Configure<SojournOptions>(session, static options => options.ClosesHubs = true);
        builder.Services.Configure<HubOptions>(options => options.AddFilter(new SessionHubFilter(keepAlive, session)));
        return builder;
    }
}
