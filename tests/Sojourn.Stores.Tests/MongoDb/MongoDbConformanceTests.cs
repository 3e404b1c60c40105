using Sojourn.MongoDb;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.MongoDb;

public sealed class MongoDbConformanceTests(MongoServer server) : SessionStoreConformance
{
    private readonly string _collection = "test_" + Path.GetRandomFileName();

    protected override bool CleansUpByItself => true;

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    protected override ValueTask<ISessionStore> CreateAsync() =>
        new(new MongoDbSessionStore(server.Client, new() { DatabaseName = server.DatabaseName, CollectionName = _collection }));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}
