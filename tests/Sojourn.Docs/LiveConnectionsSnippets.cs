using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.Docs;

internal interface IOrders
{
    IAsyncEnumerable<string> OfAsync(string user, CancellationToken cancellationToken);

    Task<string> ExportAsync(CancellationToken cancellationToken);
}

internal static class LiveConnectionsSnippets
{
    public static void Connections(WebApplicationBuilder builder, WebApplication app)
    {
        #region live-websocket
        app.UseWebSockets();
        app.MapGet("/chat", async (HttpContext context, CancellationToken aborted) =>
        {
            using var socket = await context.AcceptSessionWebSocketAsync();       // in place of context.WebSockets.AcceptWebSocketAsync()
            var buffer = new byte[4096];
            var received = await socket.ReceiveAsync(buffer.AsMemory(), aborted);
            while (received.MessageType != WebSocketMessageType.Close)
            {
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, aborted);
                received = await socket.ReceiveAsync(buffer.AsMemory(), aborted);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, aborted);
        }).RequireSignIn();
        #endregion

        #region live-signalr
        builder.Services.AddSignalR().CloseWhenSessionEnds();
        #endregion

        #region live-stream
        app.MapGet("/orders/feed", (Session session, IOrders orders, CancellationToken aborted) =>
            TypedResults.ServerSentEvents(orders.OfAsync(session.Subject!, aborted).UntilEnded(session))).RequireSignIn();
        #endregion

        #region live-request
        app.MapGet("/orders/export", async (Session session, IOrders orders) => await orders.ExportAsync(session.Ended));
        #endregion

        #region live-keep-alive
        app.MapGet("/watch", async (HttpContext context) =>
        {
            using var socket = await context.AcceptSessionWebSocketAsync(keepAlive: true);
            // …
        });
        app.MapGet("/ticker", (Session session, IOrders orders) => orders.OfAsync(session.Subject!, default).UntilEnded(session, keepAlive: true));
        builder.Services.AddSignalR().CloseWhenSessionEnds(keepAlive: true);
        app.MapGet("/export", async (Session session, IOrders orders) =>
        {
            using var kept = session.KeepAlive();                                 // anywhere else
            return await orders.ExportAsync(session.Ended);
        });
        #endregion

        #region no-activity
        app.MapGet("/session/expires", (Session session) => session.ExpiresAt).WithoutActivity();
        app.Use((context, next) =>
        {
            if (context.Request.Headers.ContainsKey("X-Background"))
            {
                context.GetSession().CountsAsActivity = false;
            }

            return next(context);
        });
        #endregion
    }
}
