using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Diagnostics;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Diagnostics;

public sealed class TelemetryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_life_is_traced_and_no_span_holds_an_id()
    {
        var spans = new List<Activity>();
        var root = new ActivitySource("tests of telemetry");
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source == root || source.Name == SojournDiagnostics.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans) spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var engine = new Engine(new MemorySessionStore(), Engine.NewClock());
        string id;
        using (var test = root.StartActivity("test"))
        {
            var session = engine.Sessions.Create();
            session.Set("cart", "tea");
            await engine.Sessions.CommitAsync(session, Token);
            await session.SignInAsync("ada", cancellationToken: Token);
            await session.RenewIdAsync(Token);
            id = session.Id;
            await engine.LoadAsync(id);
            await engine.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Token);
            Assert.Null(await engine.Sessions.LoadAsync(id, Token));
        }

        // Other tests run at the same time: only what happened under this one's span counts.
        lock (spans)
        {
            var test = spans.Single(span => span.Source == root);
            var mine = spans.Where(span => span.TraceId == test.TraceId && span != test).ToList();
            Assert.Equal(
                ["sojourn.commit", "sojourn.sign_in", "sojourn.renew", "sojourn.load found", "sojourn.end", "sojourn.load unknown"],
                mine.Select(span => $"{span.OperationName} {span.GetTagItem("sojourn.outcome")}".TrimEnd()));
            Assert.DoesNotContain(mine, span => span.TagObjects.Any(tag => $"{tag.Value}".Contains(id, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task What_happens_is_counted_and_calls_of_the_store_are_measured()
    {
        var services = new ServiceCollection();
        var store = new FaultInjectingStore(new MemorySessionStore());
        store.On(StoreVerb.Read).Delay(TimeSpan.FromMilliseconds(1));
        services.AddSojournCore().UseStore(_ => store);
        services.Configure<SojournOptions>(options => options.ApplicationName = "tests");
        await using var provider = services.BuildServiceProvider();
        var meters = provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
        using var signIns = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.sign_ins");
        using var ended = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.sessions.ended");
        using var durations = new MetricCollector<double>(meters, SojournDiagnostics.MeterName, "sojourn.store.duration");
        var manager = provider.GetRequiredService<SessionManager>();
        var session = manager.Create();
        await session.SignInAsync("ada", cancellationToken: Token);
        await (await manager.LoadAsync(session.Id, Token))!.DestroyAsync(Token);
        Assert.Equal(1, signIns.GetMeasurementSnapshot().Sum(measurement => measurement.Value));
        Assert.Equal("destroyed", Assert.Single(ended.GetMeasurementSnapshot()).Tags["reason"]);
        Assert.Contains(durations.GetMeasurementSnapshot(), measurement => Equals(measurement.Tags["verb"], "read") && measurement.Value > 0);
    }

    [Fact]
    public async Task Calls_of_the_store_and_turns_of_pruning_are_counted()
    {
        var time = new FakeTimeProvider();
        var store = new MemorySessionStore(timeProvider: time);
        var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(time);
        services.AddSojournCore().UseStore(_ => store);
        services.Configure<SojournOptions>(options => (options.ApplicationName, options.IdleTimeout) = ("tests", TimeSpan.FromMinutes(1)));
        await using var provider = services.BuildServiceProvider();
        var meters = provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>();
        using var calls = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.store.calls");
        using var pruned = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.sessions.pruned");
        using var turns = new MetricCollector<double>(meters, SojournDiagnostics.MeterName, "sojourn.prune.duration");
        var manager = provider.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("n", 1);
        await manager.CommitAsync(session, Token);
        _ = await manager.LoadAsync(session.Id, Token);
        Assert.Equal(["create", "read"], calls.GetMeasurementSnapshot().Select(measurement => measurement.Tags["verb"]));

        var pruning = provider.GetServices<IHostedService>().Single(service => service is PruneService);
        await pruning.StartAsync(Token);
        while (pruned.GetMeasurementSnapshot().All(measurement => measurement.Value == 0))
        {
            // It begins in its own time.
            time.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(10, Token);
        }

        await pruning.StopAsync(Token);
        Assert.NotEmpty(turns.GetMeasurementSnapshot());
        Assert.Equal(1, pruned.GetMeasurementSnapshot().Sum(measurement => measurement.Value));
        Assert.Equal(0, await store.CountAsync(Token));
    }
}
