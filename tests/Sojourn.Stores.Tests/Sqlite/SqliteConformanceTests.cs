using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.Sqlite;

public sealed class SqliteFullConformanceTests() : SqliteConformanceTests(SqliteDurability.Full);

public sealed class SqliteNormalConformanceTests() : SqliteConformanceTests(SqliteDurability.Normal);

public abstract class SqliteConformanceTests(SqliteDurability durability) : SessionStoreConformance
{
    private readonly TempDirectory _directory = new();

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    protected override ValueTask<ISessionStore> CreateAsync()
        => new(new SqliteSessionStore(_directory.ConnectionString, new() { Durability = durability }));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}
