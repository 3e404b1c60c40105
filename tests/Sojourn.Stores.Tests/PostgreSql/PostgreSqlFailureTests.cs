using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>A server that has a bad day, under an application that is not restarted. Each test has a server of its own.</summary>
public sealed class PostgreSqlFailureTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Layouts => ["native", "connect-pg-simple"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_was_killed_is_found_again_and_nothing_that_was_acknowledged_is_lost(string layout)
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(builder => Use(builder, layout, server.Owner));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await Task.WhenAll(Enumerable.Range(0, 19).Select(async _ => Assert.Equal(HttpStatusCode.OK, await app.CountAsync())));
        await server.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();
        await app.RecoveredAsync();
        Assert.Equal(21, await app.ReadAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_standby_that_takes_over_is_found_and_has_all_that_was_acknowledged(string layout)
    {
        await using var primary = await StartAsync();
        await using var standby = await primary.StartStandbyAsync();
        await SetAsync(primary, "synchronous_standby_names", "*");
        await using var app = await StoreApp.StartAsync(builder => Use(builder, layout, primary.OwnerWith(standby)));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await Task.WhenAll(Enumerable.Range(0, 19).Select(async _ => Assert.Equal(HttpStatusCode.OK, await app.CountAsync())));
        await primary.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await standby.ExecuteAsync("SELECT pg_promote()");
        await app.RecoveredAsync();
        Assert.Equal(21, await app.ReadAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_hangs_costs_a_visitor_the_store_timeout_and_no_more(string layout)
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(builder => Use(builder, layout, server.Owner));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.FreezeAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        server.Thaw();
        await app.RecoveredAsync();

        // The write that was not answered may have been done.
        Assert.InRange(await app.ReadAsync(), 2, 3);
    }

    [Fact]
    public async Task A_server_that_is_away_at_the_start_is_found_when_it_comes_and_its_tables_are_made_then()
    {
        await using var server = await StartAsync();
        await server.KillAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(server.Owner));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task A_server_that_is_read_only_still_serves_reads_also_to_an_application_that_starts_then()
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(server.Owner));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await SetAsync(server, "default_transaction_read_only", "on");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(1, await app.ReadAsync());
        await using (var started = await StoreApp.StartAsync(builder => builder.UsePostgreSql(server.Owner)))
        {
            Assert.Equal(0, await started.ReadAsync());
        }

        await SetAsync(server, "default_transaction_read_only", "off");
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task A_server_that_takes_no_more_connections_is_an_error_until_it_does()
    {
        await using var server = await StartAsync("max_connections=10", "superuser_reserved_connections=0");
        await using var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(server.Owner));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()");
        var others = new List<NpgsqlConnection>();
        while (others.Count < 20)
        {
            var other = new NpgsqlConnection(server.Owner + ";Pooling=false");
            try
            {
                await other.OpenAsync(Token);
            }
            catch (PostgresException)
            {
                break;
            }

            others.Add(other);
        }

        Assert.InRange(others.Count, 1, 10);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        foreach (var other in others) await other.DisposeAsync();
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task A_pool_whose_connections_are_all_taken_is_an_error_within_the_store_timeout_until_one_is_free()
    {
        await using var server = await StartAsync();
        await using var source = NpgsqlDataSource.Create(server.Owner.Replace("Maximum Pool Size=20", "Maximum Pool Size=2", StringComparison.Ordinal));
        await using var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(_ => source));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await using (await source.OpenConnectionAsync(Token))
        await using (await source.OpenConnectionAsync(Token))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        }

        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    private static async Task<PostgresServer> StartAsync(params string[] settings)
    {
        var server = new PostgresServer();
        await server.InitializeAsync();
        if (settings.Length > 0)
        {
            await server.KillAsync();
            await server.StartAsync(settings);
        }

        return server;
    }

    private static async Task SetAsync(PostgresServer server, string setting, string value)
    {
        await server.ExecuteAsync($"BEGIN READ WRITE; COMMIT; ALTER SYSTEM SET {setting} = '{value}'");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        while (await server.ScalarAsync<string>("SHOW " + setting) != value) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
    }

    private static void Use(SojournBuilder builder, string layout, string connectionString) =>
        _ = layout == "native" ? builder.UsePostgreSql(connectionString) : builder.UseConnectPgSimple(connectionString);
}
