using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sojourn.Dashboard.Health;
using Sojourn.Dashboard.Metrics;
using Sojourn.Dashboard.Pages;
using Sojourn.Storage;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>The overview, its stream, and the health.</summary>
internal static class OverviewEndpoints
{
    private const int Lately = 12;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    /// <summary>A stream is short, and the browser asks for the next: whoever may no longer look is turned away then.</summary>
    private const int EventsOfAStream = 12;

    public static async Task OverviewAsync(DashboardRequest request)
    {
        var model = await ModelAsync(request).ConfigureAwait(false);
        await request.PageAsync<OverviewPage>(model).ConfigureAwait(false);
    }

    public static async Task LiveAsync(DashboardRequest request)
    {
        var stopping = request.Context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var until = CancellationTokenSource.CreateLinkedTokenSource(request.Aborted, stopping);
        try
        {
            await TypedResults.ServerSentEvents(PartsAsync(request, until.Token)).ExecuteAsync(request.Context).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (until.IsCancellationRequested)
        {
            // Whoever looked has gone, or the application goes.
        }
    }

    public static async Task HealthAsync(DashboardRequest request)
    {
        var (all, options, store) = (request.All, request.Manager.Options, request.All.StoreOf(request.Session));
        var findings = await StoreChecks.RunAsync(request.Manager, store, all.Metrics, all.Time, request.Aborted).ConfigureAwait(false);
        await request.PageAsync<HealthPage>(new HealthModel(
            [.. findings, .. ConfigurationChecks.Run(options, store, all.Environment, request.Context.Request.IsHttps, all.IsAudited(request.Session))],
            ConfigurationTable.Of(options, store))).ConfigureAwait(false);
    }

    private static async ValueTask<OverviewModel> ModelAsync(DashboardRequest request)
    {
        var (count, trouble) = await request.CountAsync().ConfigureAwait(false);
        var prunes = request.All.StoreOf(request.Session).As<IExpiringStore>() is not null;
        return new OverviewModel(
            TimeRange.Find(request.Context.Request.Query["range"]),
            request.All.Metrics,
            count,
            trouble,
            request.All.History.Last(request.Session, Lately),
            prunes ? request.Manager.Options.PruneInterval : null);
    }

    private static async IAsyncEnumerable<SseItem<string>> PartsAsync(DashboardRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var i = 0; i < EventsOfAStream; i++)
        {
            var frame = request.Frame with { Now = request.All.Time.GetUtcNow() };
            yield return new SseItem<string>(
                await PageWriter.RenderAsync<LivePart>(
                    request.Context.RequestServices, frame, await ModelAsync(request).ConfigureAwait(false)).ConfigureAwait(false),
                "live");
            await Task.Delay(Period, request.All.Time, cancellationToken).ConfigureAwait(false);
        }
    }
}
