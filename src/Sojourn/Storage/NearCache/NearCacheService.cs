using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;

namespace Sojourn.Storage.NearCache;

/// <summary>
/// Has the near caches told of what other processes change, where the stores tell. Until a subscription stands, and where there is none, copies are as
/// old as they may be and no older: no request waits for it or fails.
/// </summary>
internal sealed class NearCacheService(IServiceProvider services, IEnumerable<SessionName> names, TimeProvider time, ILogger<NearCacheService> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly ISessionStore[] _stores = [.. names.Select(name => services.GetFor<ISessionStore>(name.Value)).Where(static store => store.As<INearCache>() is not null)];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(_stores.Select(store => ListenAsync(store, stoppingToken)));

    private async Task ListenAsync(ISessionStore store, CancellationToken stoppingToken)
    {
        if (store.As<ISessionNotifications>() is not { } notifications)
        {
            logger.NearCacheNotTold();
            return;
        }

        for (var pause = FirstPause; !stoppingToken.IsCancellationRequested; pause = pause < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                // The near cache hears by itself. A connection that is lost later is the subscription's to make anew.
                var subscription = await notifications.SubscribeAsync(static _ => { }, stoppingToken).ConfigureAwait(false);
                await using (subscription.ConfigureAwait(false))
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, stoppingToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                logger.NearCacheNotSubscribed(e);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
