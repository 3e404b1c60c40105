using Sojourn.MySql;
using Sojourn.Storage;
using Sojourn.Testing;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.MySql.MariaDbServer))]

namespace Sojourn.Stores.Tests.MySql;

public sealed class MySqlConformanceTests(MariaDbServer server) : SessionStoreConformance
{
    private string _connectionString = "";

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    protected override async ValueTask<ISessionStore> CreateAsync()
    {
        _connectionString = await server.NewDatabaseAsync();
        return Open();
    }

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(Open());

    private MySqlSessionStore Open() => new(schema => new MySqlDatabase(_connectionString, schema), new());
}
