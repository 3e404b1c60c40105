using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Sojourn.Ending;

namespace Sojourn.AspNetCore.LiveConnections;

/// <summary>Breaks off a SignalR connection when the session that it was opened with ends. Thread-safe.</summary>
internal sealed class SessionHubFilter(bool keepAlive, string session) : IHubFilter
{
    /// <summary>
    /// Has the connection find the session that its request was loaded with. Once the hub is told of the connection, the id may have been renewed; and where
    /// long polling has but a copy of the request, it has these items and no features.
    /// </summary>
    public static void Note(HttpContext http, Session session, string name) => http.Items[KeyOf(name)] = session;

    public async Task OnConnectedAsync(HubLifetimeContext context, Func<HubLifetimeContext, Task> next)
    {
        var connection = context.Context;
        if (connection.GetHttpContext() is { } http && Find(http) is { Record: not null } found)
        {
            // A connection may outlive the request that opened it, by another request or by none at all.
            var watch = found.WatchApart();
            connection.Items[this] = watch;
            if (keepAlive)
            {
                _ = watch.KeepAlive();
            }

            watch.Ended.UnsafeRegister(static state => ((HubCallerContext)state!).Abort(), connection);
        }

        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch
        {
            Leave(connection);
            throw;
        }
    }

    public async Task OnDisconnectedAsync(HubLifetimeContext context, Exception? exception, Func<HubLifetimeContext, Exception?, Task> next)
    {
        Leave(context.Context);
        await next(context, exception).ConfigureAwait(false);
    }

    private void Leave(HubCallerContext connection)
    {
        if (connection.Items.Remove(this, out var watch))
        {
            ((SessionWatch)watch!).Dispose();
        }
    }

    /// <summary>The session of the request that opened the connection; without the request, which may be over.</summary>
    private Session? Find(HttpContext http)
    {
        // Throws where there is no session of that name.
        var name = http.RequestServices.GetFor<SessionServices>(session).Name;
        return http.Items.TryGetValue(KeyOf(name), out var noted) ? (Session)noted! : null;
    }

    private static object KeyOf(string name) => (typeof(SessionHubFilter), name);
}
