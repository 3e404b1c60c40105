using Npgsql;
using Sojourn.PostgreSql;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.PostgreSql;

public sealed class PostgreSqlConformanceTests(PostgresServer server) : PostgreSqlConformance(server, new());

public sealed class NotifyingPostgreSqlConformanceTests(PostgresServer server) : PostgreSqlConformance(
    server, new() { Notifications = true, Unlogged = true, TablePrefix = "my_" })
{
    protected override bool HasNotifications => true;
}

public abstract class PostgreSqlConformance(PostgresServer server, PostgreSqlSessionStoreOptions options) : SessionStoreConformance
{
    private NpgsqlDataSource? _source;

    protected override bool HasSubjects => true;

    protected override bool HasLeases => true;

    public override async ValueTask InitializeAsync()
    {
        _source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }

    protected override ValueTask<ISessionStore> CreateAsync() => new(new PostgreSqlSessionStore(_source!, options));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}

public sealed class ConnectPgSimpleConformanceTests(PostgresServer server) : SessionStoreConformance
{
    private NpgsqlDataSource? _source;

    protected override bool VersionsAreContent => true;

    /// <summary>The layout is the session's JSON, its id and its expiry.</summary>
    protected override bool HasLabels => false;

    /// <summary>connect-pg-simple counts in whole seconds.</summary>
    protected override TimeSpan ExpiryResolution => TimeSpan.FromSeconds(1);

    public override async ValueTask InitializeAsync()
    {
        _source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }

    protected override ValueTask<ISessionStore> CreateAsync() => new(new ConnectPgSimpleSessionStore(_source!));

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();
}
