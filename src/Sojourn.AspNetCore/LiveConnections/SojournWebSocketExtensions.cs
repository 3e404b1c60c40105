using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.LiveConnections;

namespace Microsoft.AspNetCore.Http;

/// <summary>WebSockets that close when their session ends.</summary>
public static class SojournWebSocketExtensions
{
    /// <summary>
    /// Accepts the request's WebSocket, for as long as its session lives (<see cref="Sojourn.Session.Ended"/>): when that ends, the peer is told 1008 (RFC
    /// 6455, section 7.4.1), a receive of the application's returns the close, a send throws as on a closed socket, and the application's own closing does
    /// nothing. A peer that does not answer is left after 5 seconds.
    /// </summary>
    /// <remarks>
    /// The session is saved before the upgrade. What is changed later is saved by <see cref="Sojourn.Session.SaveAsync"/>, or when the handler returns. A
    /// visitor without a stored session has nothing that could end.
    /// </remarks>
    /// <param name="context">The request.</param>
    /// <param name="keepAlive">
    /// Whether the open socket keeps the session from ending for want of use (<see cref="Sojourn.Session.KeepAlive"/>); false by default.
    /// </param>
    /// <param name="accept">The sub-protocol and the like.</param>
    /// <param name="session">The session's name; empty for the default session.</param>
    /// <returns>The socket.</returns>
    /// <exception cref="BadHttpRequestException">
    /// 400: the request is none for a WebSocket. 403: it was sent by a page of another origin, which cookies do not tell apart (cross-site WebSocket
    /// hijacking); set <see cref="WebSocketOptions.AllowedOrigins"/> where others may.
    /// </exception>
    /// <exception cref="InvalidOperationException">The request has no session.</exception>
    public static async Task<WebSocket> AcceptSessionWebSocketAsync(
        this HttpContext context, bool keepAlive = false, WebSocketAcceptContext? accept = null, string session = "")
    {
        ArgumentNullException.ThrowIfNull(context);
        var current = await context.GetSessionAsync(session).ConfigureAwait(false);
        if (!context.WebSockets.IsWebSocketRequest)
        {
            throw new BadHttpRequestException("This is for WebSockets alone.", StatusCodes.Status400BadRequest);
        }

        // Where origins are listed, ASP.NET Core has looked.
        if (context.RequestServices.GetRequiredService<IOptions<WebSocketOptions>>().Value.AllowedOrigins.Count == 0 && !SameOrigin.Holds(context.Request))
        {
            throw new BadHttpRequestException("A page of another origin may not open a WebSocket here.", StatusCodes.Status403Forbidden);
        }

        var feature = SessionFeature.Of(context, session)!;
        var ended = current.Ended;
        await feature.CommitAsync().ConfigureAwait(false);
        var socket = await context.WebSockets.AcceptWebSocketAsync(accept ?? new()).ConfigureAwait(false);
        var live = new SessionWebSocket(socket, keepAlive ? current.KeepAlive() : null, context.RequestServices.GetRequiredService<TimeProvider>(), ended);
        current.Connection = live;
        return live;
    }
}
