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

    protected override bool HasNotifications => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(Open(TimeProvider.System));

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(Open(Clock.MinuteAhead));

    private MongoDbSessionStore Open(TimeProvider clock) =>
        new(server.Client, new() { DatabaseName = server.DatabaseName, CollectionName = _collection, Notifications = true }, clock);
}
