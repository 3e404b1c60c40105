using Sojourn.Redis;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.Redis;

public sealed class ConnectRedisConformanceTests(RedisServer server) : SessionStoreConformance
{
    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    protected override bool CleansUpByItself => true;

    protected override bool VersionsAreContent => true;

    /// <summary>The layout is the session's JSON and nothing else.</summary>
    protected override bool HasLabels => false;

    /// <summary>connect-redis counts in whole seconds.</summary>
    protected override TimeSpan ExpiryResolution => TimeSpan.FromSeconds(1.5);

    protected override ValueTask<ISessionStore> CreateAsync() => new(new ConnectRedisSessionStore(server.Connection, new() { KeyPrefix = _prefix }));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}
