using Microsoft.Extensions.DependencyInjection;
using Sojourn.Redis;
using Sojourn.Storage;
using Sojourn.Testing;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>The native layout.</summary>
public abstract class NativeLayoutConformance : SessionStoreConformance
{
    private protected string Prefix { get; } = $"test:{Path.GetRandomFileName()}:";

    protected override bool CleansUpByItself => true;

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    protected override bool HasNotifications => true;

    private protected RedisSessionStore On(IConnectionMultiplexer connection, TimeProvider? clock = null) =>
        new(connection, new() { KeyPrefix = Prefix, Notifications = true }, clock);
}

public sealed class RedisConformanceTests(RedisServer server) : NativeLayoutConformance
{
    protected override ValueTask<ISessionStore> CreateAsync() => new(On(server.Connection));

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(On(server.Connection, Clock.MinuteAhead));
}

public sealed class RedisClusterConformanceTests(RedisCluster cluster) : NativeLayoutConformance
{
    protected override async ValueTask<ISessionStore> CreateAsync() => On(await cluster.ConnectAsync());

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => On(await cluster.ConnectAsync(), Clock.MinuteAhead);
}

/// <summary>Each write waits for the replica of its primary.</summary>
public sealed class RedisReplicatedConformanceTests(RedisCluster cluster) : NativeLayoutConformance
{
    protected override async ValueTask<ISessionStore> CreateAsync() => await OpenAsync(TimeProvider.System);

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await OpenAsync(Clock.MinuteAhead);

    private async Task<ISessionStore> OpenAsync(TimeProvider clock)
    {
        await cluster.ConnectAsync();
        return new ServiceCollection().AddSingleton(clock).AddSojournCore().UseRedis(
            cluster.Configuration, o => (o.KeyPrefix, o.Notifications, o.WaitForReplicas) = (Prefix, true, 1)).Services
            .BuildServiceProvider().GetRequiredService<ISessionStore>();
    }
}
