using Sojourn.Redis;
using Sojourn.Storage;
using Sojourn.Testing;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.Redis.RedisServer))]

namespace Sojourn.Stores.Tests.Redis;

public sealed class RedisConformanceTests(RedisServer server) : SessionStoreConformance
{
    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    protected override bool CleansUpByItself => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(new RedisSessionStore(server.Connection, new() { KeyPrefix = _prefix }));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}
