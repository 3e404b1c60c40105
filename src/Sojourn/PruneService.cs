using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>Removes expired sessions now and then, off the request path, from every store whose database does not.</summary>
internal sealed class PruneService(
    IServiceProvider services, IEnumerable<SessionName> names, TimeProvider time, SessionMetrics metrics, ILogger<PruneService> logger) : BackgroundService
{
    private readonly (ISessionStore Store, SojournOptions Options)[] _stores =
        [.. names.Select(name => (services.GetFor<ISessionStore>(name.Value), services.OptionsFor(name.Value)))];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(_stores.Select(each => PruneAsync(each.Store, each.Options, stoppingToken)));

    private async Task PruneAsync(ISessionStore store, SojournOptions options, CancellationToken stoppingToken)
    {
        if (store.As<IExpiringStore>() is not { } expiring)
        {
            return;
        }

        using var timer = new PeriodicTimer(options.PruneInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                var began = time.GetTimestamp();
                var count = await expiring.PruneAsync(time.GetUtcNow(), stoppingToken).ConfigureAwait(false);
                metrics.Pruned(count, time.GetElapsedTime(began));
                logger.Pruned(count);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                logger.PruneFailed(e);
            }
        }
    }
}
