using MySqlConnector;
using Sojourn.MySql;
using Sojourn.Storage;
using Sojourn.Testing;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.MySql.OddMariaDbServer))]

namespace Sojourn.Stores.Tests.MySql;

/// <summary>
/// A server that is not strict, in a time zone that is neither UTC nor the connections', with the strongest isolation and the strictest rules for writes.
/// </summary>
public sealed class OddMariaDbServer : IAsyncLifetime
{
    internal MariaDbServer Server { get; } = new(
        "--sql-mode=ANSI_QUOTES,SIMULTANEOUS_ASSIGNMENT", "--default-time-zone=+05:30", "--character-set-server=latin1",
        "--transaction-isolation=SERIALIZABLE", "--sql-safe-updates=1", "--loose-innodb-snapshot-isolation=1");

    public ValueTask InitializeAsync() => Server.InitializeAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    /// <summary>A data source as an application may have it: it counts changed rows, and its connections have a time zone of their own.</summary>
    internal async Task<MySqlDataSource> NewDataSourceAsync() =>
        new MySqlDataSourceBuilder(await Server.NewDatabaseAsync() + ";UseAffectedRows=true")
            .UseConnectionOpenedCallback(static async (context, cancellationToken) =>
            {
                await using var command = new MySqlCommand("SET time_zone = '-08:00'", context.Connection);
                await command.ExecuteNonQueryAsync(cancellationToken);
            })
            .Build();
}

public sealed class OddMySqlConformanceTests(OddMariaDbServer server) : SessionStoreConformance
{
    private MySqlDataSource? _dataSource;

    protected override int RaceRounds => Math.Min(base.RaceRounds, 50);

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    protected override async ValueTask<ISessionStore> CreateAsync() => new MySqlSessionStore(_dataSource = await server.NewDataSourceAsync());

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(new MySqlSessionStore(_dataSource!));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_dataSource is not null) await _dataSource.DisposeAsync();
    }
}

public sealed class OddExpressMySqlConformanceTests(OddMariaDbServer server) : SessionStoreConformance
{
    private MySqlDataSource? _dataSource;

    protected override int RaceRounds => Math.Min(base.RaceRounds, 50);

    protected override bool VersionsAreContent => true;

    protected override bool HasLabels => false;

    protected override int MaxKeyLength => 128;

    protected override TimeSpan ExpiryResolution => TimeSpan.FromSeconds(0.5);

    protected override async ValueTask<ISessionStore> CreateAsync() => new ExpressMySqlSessionStore(_dataSource = await server.NewDataSourceAsync());

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(new ExpressMySqlSessionStore(_dataSource!));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_dataSource is not null) await _dataSource.DisposeAsync();
    }
}
