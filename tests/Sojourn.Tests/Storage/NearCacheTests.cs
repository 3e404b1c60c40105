using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Diagnostics;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>A near cache as an application has it: chosen by the builder, under the engine, told by the store.</summary>
public sealed class NearCacheTests
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromMinutes(5);

    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_session_that_another_process_kept_alive_is_not_ended_by_a_copy_that_does_not_know()
    {
        var (here, there) = (NewEngine(), NewEngine());
        var session = await here.SignInAsync("ada");
        _time.Advance(TimeSpan.FromMinutes(16));
        await here.LoadAsync(session.Id);
        await there.Sessions.CommitAsync(await there.LoadAsync(session.Id), Cancel);
        _time.Advance(TimeSpan.FromMinutes(4.5));
        Assert.True(await here.IsAliveAsync(session));
        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.False(await here.IsAliveAsync(session));
        Assert.Equal(0, await _memory.CountAsync(Cancel));
    }

    [Fact]
    public async Task Reloading_reads_what_is_stored_and_so_does_the_next_request()
    {
        var (here, there) = (NewEngine(), NewEngine());
        var session = await here.SignInAsync("ada");
        var old = await here.LoadAsync(session.Id);
        await SetAsync(there, session.Id, 2);
        Assert.Equal(0, (await here.LoadAsync(session.Id)).Get<int>("n"));
        await old.ReloadAsync(Cancel);
        Assert.Equal(2, old.Get<int>("n"));
        Assert.Equal(2, (await here.LoadAsync(session.Id)).Get<int>("n"));
    }

    [Fact]
    public async Task A_new_id_takes_along_what_is_stored_and_no_old_copy()
    {
        var store = new FaultInjectingStore(_memory);
        var (here, there) = (NewEngine(store), NewEngine());
        var session = await here.SignInAsync("ada");
        await here.LoadAsync(session.Id);
        await SetAsync(there, session.Id, 2);
        var old = await here.LoadAsync(session.Id);
        store.ResetCounts();
        await old.RenewIdAsync(Cancel);

        // Before anything was written: labels and deadlines of an old copy are not for a new record.
        Assert.Equal(
            (1, 1, 1, 0), (store.CallsOf(StoreVerb.Read), store.CallsOf(StoreVerb.Create), store.CallsOf(StoreVerb.Delete), store.CallsOf(StoreVerb.Replace)));
        Assert.Equal(2, (await here.LoadAsync(old.Id)).Get<int>("n"));
        Assert.False(await here.IsAliveAsync(session));
    }

    [Fact]
    public async Task Ending_a_subject_ends_at_once_what_this_process_has_copies_of()
    {
        var here = NewEngine();
        var sessions = new List<Session>();
        for (var i = 0; i < 5; i++) sessions.Add(await here.SignInAsync("ada"));
        foreach (var session in sessions) Assert.True(await here.IsAliveAsync(session));
        Assert.Equal(5, await here.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Cancel));
        foreach (var session in sessions) Assert.False(await here.IsAliveAsync(session));
    }

    [Fact]
    public async Task The_health_check_asks_the_store_itself()
    {
        var store = new FaultInjectingStore(_memory);
        var here = NewEngine(store);
        await here.Sessions.ProbeAsync(Cancel);
        store.On(StoreVerb.Read).Fail();
        await Assert.ThrowsAsync<SessionStoreException>(async () => await here.Sessions.ProbeAsync(Cancel));
    }

    [Fact]
    public async Task A_hit_is_counted_as_one_and_not_as_a_call_of_the_store()
    {
        var services = Services(builder => builder.WithNearCache(MaxStaleness));
        var (manager, meters) = (services.GetRequiredService<SessionManager>(), services.GetRequiredService<IMeterFactory>());
        var session = manager.Create();
        session.Set("n", 1);
        await manager.CommitAsync(session, Cancel);
        using var calls = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.store.calls");
        using var hits = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.near_cache.hits");
        using var misses = new MetricCollector<long>(meters, SojournDiagnostics.MeterName, "sojourn.near_cache.misses");
        for (var i = 0; i < 5; i++) Assert.NotNull(await manager.LoadAsync(session.Id, Cancel));
        Assert.Equal((1, 4, 1), (calls.GetMeasurementSnapshot().Count, hits.GetMeasurementSnapshot().Count, misses.GetMeasurementSnapshot().Count));
    }

    [Fact]
    public void It_stands_last_and_once()
    {
        AssertRefused(near => near.UseMemory());
        AssertRefused(near => near.WithEncryption());
        AssertRefused(near => near.WithNearCache());
        AssertRefused(near => near.MigratingFrom(old => old.UseMemory()));
        var old = Assert.Throws<InvalidOperationException>(
            () => new ServiceCollection().AddSojournCore().UseMemory().MigratingFrom(from => from.UseMemory().WithNearCache()));
        Assert.Contains("stands last", old.Message, StringComparison.Ordinal);

        static void AssertRefused(Action<SojournBuilder> next)
        {
            var refused = Assert.Throws<InvalidOperationException>(() => next(new ServiceCollection().AddSojournCore().UseMemory().WithNearCache()));
            Assert.Contains("WithNearCache stands last", refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("MaxStaleness", "00:00:00")]
    [InlineData("MaxStaleness", "00:05:01")]
    [InlineData("MaxSessions", "0")]
    [InlineData("MaxBytes", "1000")]
    public void What_is_out_of_range_is_told_at_the_start_by_its_name(string option, string value)
    {
        var services = Services(builder => builder.WithNearCache(), ("Sojourn:NearCache:" + option, value));
        var refused = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());
        Assert.Contains("NearCache:" + option, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_come_from_the_configuration_then_from_code_and_each_session_has_its_own()
    {
        var services = Services(
            builder =>
            {
                builder.WithNearCache(configure: o => o.MaxSessions = 7);
                builder.Services.AddSojournCore("admin").UseMemory().WithNearCache(TimeSpan.FromSeconds(4));
                builder.Services.AddSojournCore("bare").UseMemory();
            },
            ("Sojourn:NearCache:MaxStaleness", "00:00:03"), ("Sojourn:NearCache:MaxSessions", "5"), ("Sojourn:Sessions:admin:NearCache:MaxBytes", "100000"));
        var options = services.GetRequiredService<IOptionsMonitor<NearCacheOptions>>();
        Assert.Equal((TimeSpan.FromSeconds(3), 7, 64L << 20), (options.Get("").MaxStaleness, options.Get("").MaxSessions, options.Get("").MaxBytes));
        Assert.Equal(
            (TimeSpan.FromSeconds(4), 10_000, 100_000), (options.Get("admin").MaxStaleness, options.Get("admin").MaxSessions, options.Get("admin").MaxBytes));
        Assert.IsType<NearCacheStore>(services.GetRequiredService<ISessionStore>());
        Assert.IsType<NearCacheStore>(services.GetRequiredKeyedService<ISessionStore>("admin"));
        Assert.IsType<MemorySessionStore>(services.GetRequiredKeyedService<ISessionStore>("bare"));
    }

    [Fact]
    public async Task A_sealed_document_is_opened_once_for_its_copy()
    {
        var services = Services(
            builder =>
                builder.WithEncryption(o => o.Keys.Add(new() { Name = "first", Key = Convert.ToBase64String(new byte[32]) })).WithNearCache(MaxStaleness));
        var store = services.GetRequiredService<ISessionStore>();
        await store.CreateAsync("key", new SessionRecord("{}"u8.ToArray(), _time.GetUtcNow().AddHours(1)), Cancel);
        Assert.StartsWith("{\"$sealed\"", Encoding.UTF8.GetString((await _memory.ReadAsync("key", Cancel))!.Document.Span), StringComparison.Ordinal);
        var opened = await store.ReadAsync("key", Cancel);
        Assert.Equal("{}", Encoding.UTF8.GetString(opened!.Document.Span));
        Assert.Same(opened, await store.ReadAsync("key", Cancel));
    }

    [Fact]
    public void It_can_do_what_the_store_can_and_no_more()
    {
        ISessionStore bare = Near(new BareStore(_memory));
        Assert.Null(bare.As<ISessionIndex>() ?? (object?)bare.As<IExpiringStore>() ?? bare.As<ISessionNotifications>() ?? (object?)bare.As<ISubjectRegistry>());
        var near = Near(new TellingStore(_memory));
        Assert.Same(near, near.As<ISessionIndex>());
        Assert.Same(near, near.As<IExpiringStore>());
        Assert.Same(near, near.As<ISessionNotifications>());
        Assert.Same(_memory, near.As<ISubjectRegistry>());
    }

    [Fact]
    public async Task The_application_starts_without_the_subscription_and_tries_until_it_stands()
    {
        var telling = new TellingStore(_memory) { FailuresLeft = 2 };
        var services = Services(builder => builder.UseStore(_ => telling).WithNearCache(MaxStaleness));
        var service = services.GetServices<IHostedService>().OfType<NearCacheService>().Single();
        await service.StartAsync(Cancel);
        while (telling.Subscribers == 0)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
        }

        Assert.Equal(2, Logged(services).Count(record => record.Level == LogLevel.Warning));
        await service.StopAsync(Cancel);
        Assert.Equal(0, telling.Subscribers);
    }

    [Fact]
    public async Task A_store_that_does_not_tell_is_no_error_and_is_said_once()
    {
        var services = Services(builder => builder.WithNearCache());
        var service = services.GetServices<IHostedService>().OfType<NearCacheService>().Single();
        await service.StartAsync(Cancel);
        await service.ExecuteTask!;
        var said = Assert.Single(Logged(services));
        Assert.Equal(LogLevel.Information, said.Level);
        Assert.Contains("Notifications", said.Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<FakeLogRecord> Logged(ServiceProvider services) =>
        [.. services.GetRequiredService<FakeLogCollector>().GetSnapshot().Where(record => record.Category == typeof(NearCacheService).FullName)];

    private static async Task SetAsync(Engine engine, string id, int value)
    {
        var session = await engine.LoadAsync(id);
        session.Set("n", value);
        await engine.Sessions.CommitAsync(session, Cancel);
    }

    private NearCacheStore Near(ISessionStore store) =>
        Assert.IsType<NearCacheStore>(Services(builder => builder.UseStore(_ => store).WithNearCache(MaxStaleness)).GetRequiredService<ISessionStore>());

    /// <summary>Another process on the same records.</summary>
    private Engine NewEngine(ISessionStore? store = null) => new(Near(store ?? _memory), _time);

    private ServiceProvider Services(Action<SojournBuilder> build, params (string Name, string Value)[] settings)
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(_time);
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleton<IConfiguration>(
            new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value))).Build());
        services.Configure<SojournOptions>(o => o.ApplicationName = "tests");
        build(services.AddSojournCore().UseStore(_ => _memory));
        return services.BuildServiceProvider();
    }
}
