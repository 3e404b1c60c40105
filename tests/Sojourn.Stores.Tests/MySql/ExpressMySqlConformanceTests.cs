using Sojourn.MySql;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.MySql;

public sealed class ExpressMySqlConformanceTests(MariaDbServer server) : SessionStoreConformance
{
    private string _connectionString = "";

    protected override bool VersionsAreContent => true;

    /// <summary>The layout is the session's JSON, its id and its expiry, and nothing else.</summary>
    protected override bool HasLabels => false;

    /// <summary>The npm package's column.</summary>
    protected override int MaxKeyLength => 128;

    /// <summary>express-mysql-session rounds to the nearest second.</summary>
    protected override TimeSpan ExpiryResolution => TimeSpan.FromSeconds(0.5);

    protected override async ValueTask<ISessionStore> CreateAsync()
    {
        _connectionString = await server.NewDatabaseAsync();
        return Open();
    }

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(Open());

    private ExpressMySqlSessionStore Open() => new(schema => new MySqlDatabase(_connectionString, schema), new());
}
