using Sojourn.Redis;
using Sojourn.Storage;
using Sojourn.Testing;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>The layout of connect-redis.</summary>
public abstract class ConnectRedisConformance : SessionStoreConformance
{
    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    protected override bool CleansUpByItself => true;

    protected override bool VersionsAreContent => true;

    /// <summary>The layout is the session's JSON and nothing else.</summary>
    protected override bool HasLabels => false;

    /// <summary>connect-redis counts in whole seconds, from when a command arrives, and answers are on their way for a while: long on a busy machine.</summary>
    protected override TimeSpan ExpiryResolution => TimeSpan.FromSeconds(10);

    private protected ConnectRedisSessionStore On(IConnectionMultiplexer connection, TimeProvider? clock = null) =>
        new(connection, new() { KeyPrefix = _prefix }, clock);
}

public sealed class ConnectRedisConformanceTests(RedisServer server) : ConnectRedisConformance
{
    protected override ValueTask<ISessionStore> CreateAsync() => new(On(server.Connection));

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(On(server.Connection));
}

public sealed class ConnectRedisClusterConformanceTests(RedisCluster cluster) : ConnectRedisConformance
{
    /// <summary>The layout keeps how long a session has left: clocks that are a minute apart read ends that are.</summary>
    protected override TimeSpan ExpiryResolution => base.ExpiryResolution + TimeSpan.FromMinutes(1);

    protected override async ValueTask<ISessionStore> CreateAsync() => On(await cluster.ConnectAsync());

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => On(await cluster.ConnectAsync(), Clock.MinuteAhead);
}
