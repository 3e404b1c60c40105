using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Diagnostics;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>Removes expired sessions now and then, off the request path, from a store whose database does not.</summary>
internal sealed class PruneService(ISessionStore store, IOptions<SojournOptions> options, TimeProvider time, ILogger<PruneService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (store.As<IExpiringStore>() is not { } expiring)
        {
            return;
        }

        using var timer = new PeriodicTimer(options.Value.PruneInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                logger.Pruned(await expiring.PruneAsync(time.GetUtcNow(), stoppingToken).ConfigureAwait(false));
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                logger.PruneFailed(e);
            }
        }
    }
}
