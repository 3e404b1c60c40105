using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Sojourn.PostgreSql;
using Sojourn.Redis;
using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.NearCache;

/// <summary>
/// Near caches, one each of two processes, on one database: what the other one wrote is seen when copies are as old as they may be, which the suite is told.
/// One that is alone is seen to be as fresh as its store: its copies do not age, and no allowance is made.
/// </summary>
public abstract class NearCacheConformance(bool isAlone, bool notifies) : SessionStoreConformance
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly List<IAsyncDisposable> _subscriptions = [];

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    protected override bool HasNotifications => notifies;

    /// <summary>The database's own races run elsewhere.</summary>
    protected override int RaceRounds => Math.Max(base.RaceRounds / 4, 1);

    public override async ValueTask DisposeAsync()
    {
        foreach (var subscription in _subscriptions) await subscription.DisposeAsync();
        await base.DisposeAsync();
    }

    protected abstract ISessionStore NewStore();

    protected override async ValueTask<ISessionStore> CreateAsync()
    {
        var near = NewStore().WithNearCache(_time);
        if (near.As<ISessionNotifications>() is { } notifications) _subscriptions.Add(
            await notifications.SubscribeAsync(static _ => { }, TestContext.Current.CancellationToken));
        return near;
    }

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => isAlone ? null : await CreateAsync();

    protected override ValueTask CatchUpAsync()
    {
        if (!isAlone) _time.Advance(NearCaches.MaxStaleness);
        return default;
    }
}

public sealed class NearSqliteConformanceTests : NearCacheConformance
{
    private readonly TempDirectory _directory = new();

    public NearSqliteConformanceTests()
        : base(isAlone: false, notifies: false)
    {
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    protected override ISessionStore NewStore() => new SqliteSessionStore(_directory.ConnectionString);
}

public sealed class NearRedisConformanceTests(RedisServer server) : NearRedisConformance(server, isAlone: false, notifies: false);

public sealed class NearNotifyingRedisConformanceTests(RedisServer server) : NearRedisConformance(server, isAlone: false, notifies: true);

public sealed class NearLonelyRedisConformanceTests(RedisServer server) : NearRedisConformance(server, isAlone: true, notifies: true);

public abstract class NearRedisConformance(RedisServer server, bool isAlone, bool notifies) : NearCacheConformance(isAlone, notifies)
{
    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    protected override bool CleansUpByItself => true;

    protected override ISessionStore NewStore() => new RedisSessionStore(server.Connection, new() { KeyPrefix = _prefix, Notifications = HasNotifications });
}

public sealed class NearPostgreSqlConformanceTests(PostgresServer server) : NearPostgreSqlConformance(server, isAlone: false, notifies: false);

public sealed class NearNotifyingPostgreSqlConformanceTests(PostgresServer server) : NearPostgreSqlConformance(server, isAlone: false, notifies: true);

public sealed class NearLonelyPostgreSqlConformanceTests(PostgresServer server) : NearPostgreSqlConformance(server, isAlone: true, notifies: true);

public abstract class NearPostgreSqlConformance(PostgresServer server, bool isAlone, bool notifies) : NearCacheConformance(isAlone, notifies)
{
    private NpgsqlDataSource? _source;

    public override async ValueTask InitializeAsync()
    {
        _source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }

    protected override ISessionStore NewStore() => new PostgreSqlSessionStore(_source!, new() { Notifications = HasNotifications });
}

/// <summary>connect-redis's layout, whose versions are the content, and which Node may write beside us.</summary>
public sealed class NearConnectRedisConformanceTests(RedisServer server) : ConnectRedisConformance
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    protected override ValueTask<ISessionStore> CreateAsync() => new(On(server.Connection).WithNearCache(_time));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();

    protected override ValueTask CatchUpAsync()
    {
        _time.Advance(NearCaches.MaxStaleness);
        return default;
    }
}

internal static class NearCaches
{
    public static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(30);

    /// <summary>Copies age by the given clock; the store has the system's.</summary>
    public static ISessionStore WithNearCache(this ISessionStore store, TimeProvider time) => new ServiceCollection()
        .AddSingleton(time).AddSojournCore().UseStore(_ => store).WithNearCache(MaxStaleness).Services
        .BuildServiceProvider().GetRequiredService<ISessionStore>();
}
