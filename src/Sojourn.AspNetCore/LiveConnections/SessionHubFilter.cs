using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Sojourn.Ending;

namespace Sojourn.AspNetCore.LiveConnections;

/// <summary>Breaks off a SignalR connection when the session that it was opened with ends. Thread-safe.</summary>
internal sealed class SessionHubFilter(bool keepAlive, string session) : IHubFilter
{
    public async Task OnConnectedAsync(HubLifetimeContext context, Func<HubLifetimeContext, Task> next)
    {
        var connection = context.Context;
        if (connection.GetHttpContext() is { } http && await FindAsync(http).ConfigureAwait(false) is { Record: not null } found)
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

    private async ValueTask<Session?> FindAsync(HttpContext http)
    {
        if (SessionFeature.Of(http, session) is not null)
        {
            return await http.GetSessionAsync(session).ConfigureAwait(false);
        }

        // Long polling: what is there is a copy of the request, without its session.
        var services = http.RequestServices.GetFor<SessionServices>(session);
        return services.Tokens.Read(http.Request).Token is { } token ? await services.Manager.LoadAsync(token.Id, http.RequestAborted).ConfigureAwait(false) : null;
    }
}
