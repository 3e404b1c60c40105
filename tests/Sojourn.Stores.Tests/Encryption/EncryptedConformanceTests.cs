using Microsoft.Extensions.DependencyInjection;
using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Stores.Tests.Redis;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.Encryption;

public sealed class EncryptedSqliteConformanceTests : SessionStoreConformance
{
    private readonly TempDirectory _directory = new();

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    protected override ValueTask<ISessionStore> CreateAsync() => new(new SqliteSessionStore(_directory.ConnectionString).Encrypted());

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}

public sealed class EncryptedRedisConformanceTests(RedisServer server) : NativeLayoutConformance
{
    protected override ValueTask<ISessionStore> CreateAsync() => new(On(server.Connection).Encrypted());
}

internal static class Encryption
{
    public static ISessionStore Encrypted(this ISessionStore store) => new ServiceCollection().AddSojournCore()
        .UseStore(_ => store)
        .WithEncryption(o => o.Keys.Add(new SessionEncryptionKey { Name = "first", Key = Convert.ToBase64String(new byte[32]) })).Services
        .BuildServiceProvider().GetRequiredService<ISessionStore>();
}
