using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;

namespace Sojourn.Storage.NearCache;

/// <summary>
/// Has the near caches told of what other processes change, where the stores tell. Until a subscription stands, and where there is none, copies are as
/// old as they may be and no older: no request waits for it or fails.
/// </summary>
internal sealed class NearCacheService(
    IServiceProvider services, IEnumerable<SessionName> names, TimeProvider time, ILogger<NearCacheService> logger) : BackgroundService
{
    private readonly ISessionStore[] _stores =
        [.. names.Select(name => services.GetFor<ISessionStore>(name.Value)).Where(static store => store.As<INearCache>() is not null)];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(_stores.Select(store => ListenAsync(store, stoppingToken)));

    private Task ListenAsync(ISessionStore store, CancellationToken stoppingToken)
    {
        if (store.As<ISessionNotifications>() is not { } notifications)
        {
            logger.NearCacheNotTold();
            return Task.CompletedTask;
        }

        // The near cache hears by itself.
        return notifications.ListenAsync(static _ => { }, static () => { }, logger.NearCacheNotSubscribed, time, stoppingToken);
    }
}
