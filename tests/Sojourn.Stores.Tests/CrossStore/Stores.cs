using Microsoft.Extensions.DependencyInjection;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>connect-redis 9, as it is by default.</summary>
public sealed class ConnectRedisCrossTests(RedisServer server)
    : CrossStoreTests(new NodeSide("redis", $"redis://{server.Configuration}"), builder => builder.UseConnectRedis(server.Configuration));

/// <summary>connect-redis 10, and its prefix and ttl as options.</summary>
public sealed class ConnectRedis10CrossTests(RedisServer server) : CrossStoreTests(
    new NodeSide("redis-10", $"redis://{server.Configuration}", new() { ["prefix"] = "shop:", ["ttl"] = 3600 }),
    builder => builder.UseConnectRedis(server.Configuration, o => (o.KeyPrefix, o.TimeToLive) = ("shop:", TimeSpan.FromHours(1))));
