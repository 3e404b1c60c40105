using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Sojourn.Storage;
using static Sojourn.Stores.Tests.MySql.MySqlSessionStoreTests;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>A server that has a bad day, under an application that is not restarted. Each test has a server of its own.</summary>
public sealed class MySqlFailureTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Layouts => ["native", "express"];

    [Fact]
    public async Task A_server_whose_connections_commit_nothing_is_refused_at_the_start()
    {
        await using var server = new MariaDbServer("--autocommit=0");
        await server.InitializeAsync();
        var database = await server.NewDatabaseAsync();
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(() => StoreApp.StartAsync(sojourn => sojourn.UseMySql(database)));
        Assert.Contains("autocommit", refused.Script, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_was_killed_is_found_again_and_nothing_that_was_acknowledged_is_lost(string layout)
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(sojourn => Use(sojourn, layout, server.App));
        await ParallelCountsAsync(app, 20);
        await server.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();

        // The idle connections of the pool died with the server: no visitor learns of it.
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(21, await app.ReadAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_replica_that_takes_over_is_found_and_has_all_that_was_acknowledged(string layout)
    {
        await using var primary = await MariaDbServer.StartPrimaryAsync();
        await using var replica = await primary.StartReplicaAsync();
        await using var app = await StoreApp.StartAsync(sojourn => Use(sojourn, layout, primary.AppWith(replica)));
        await ParallelCountsAsync(app, 20);
        var position = await primary.PositionAsync();
        await primary.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await replica.PromoteAsync(position);
        await app.RecoveredAsync();
        Assert.Equal(21, await app.ReadAsync());
    }

    [Fact]
    public async Task A_server_that_restarts_while_nobody_asks_is_not_noticed()
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(server.App));
        await ParallelCountsAsync(app, 20);
        await server.KillAsync();
        await server.StartAsync();
        Assert.Equal(20, await app.ReadAsync());
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_hangs_costs_a_visitor_the_store_timeout_and_no_more(string layout)
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(sojourn => Use(sojourn, layout, server.App));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        server.Freeze();
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
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(server.App));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task A_server_that_is_read_only_still_serves_reads_also_to_an_application_that_starts_then()
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(server.App));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.ExecuteAsync("SET GLOBAL read_only = 1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(1, await app.ReadAsync());
        await using (var started = Open(server.App)) Assert.Null(await started.ReadAsync("key", Token));
        await server.ExecuteAsync("SET GLOBAL read_only = 0");
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task A_server_that_takes_no_more_connections_is_an_error_until_it_does()
    {
        await using var server = await StartAsync("--max-connections=10");
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(server.App));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var others = new List<MySqlConnection>();
        await server.ExecuteAsync("KILL USER app");
        while (others.Count < 20)
        {
            var other = new MySqlConnection(server.App + ";Pooling=false");
            try
            {
                await other.OpenAsync(Token);
            }
            catch (MySqlException)
            {
                break;
            }

            others.Add(other);
        }

        Assert.Equal(10, others.Count);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        foreach (var other in others) await other.DisposeAsync();
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task A_pool_whose_connections_are_all_taken_is_an_error_within_the_store_timeout_until_one_is_free()
    {
        await using var server = await StartAsync();
        await using var dataSource = new MySqlDataSource(server.App + ";Maximum Pool Size=2");
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(_ => dataSource));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await using (await dataSource.OpenConnectionAsync(Token))
        await using (await dataSource.OpenConnectionAsync(Token))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        }

        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_document_that_the_server_does_not_take_is_refused_before_it_is_sent_and_the_session_is_as_it_was(string layout)
    {
        await using var server = await StartAsync("--max-allowed-packet=1M");
        await using var app = await StoreApp.StartAsync(sojourn => Use(sojourn, layout, server.App), o => o.MaxDocumentBytes = 16 << 20);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(HttpStatusCode.OK, await app.SetTextAsync(500_000));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.SetTextAsync(1_100_000));
        Assert.Equal(1, await app.ReadAsync());

        await using var services = Use(new ServiceCollection().AddSojournCore(), layout, server.App).Services.BuildServiceProvider();
        var store = services.GetRequiredService<ISessionStore>();
        var refused = await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync("key", Record($$"""{"a":"{{new string('x', 1_048_576)}}"}"""), Token));
        Assert.Contains("max_allowed_packet = 1,048,576", refused.Message, StringComparison.Ordinal);

        // What has to be escaped in a statement counts twice.
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync("key", Record($$"""{"a":"{{new string('\'', 600_000)}}"}"""), Token));
        Assert.True(await store.CreateAsync("key", Record($$"""{"a":"{{new string('\'', 500_000)}}"}"""), Token));
    }

    [Fact]
    public async Task A_limit_that_was_lowered_meanwhile_is_an_error_that_leaves_the_session_as_it_was()
    {
        await using var server = await StartAsync();
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(server.App), o => o.MaxDocumentBytes = 16 << 20);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.ExecuteAsync("SET GLOBAL max_allowed_packet = 1048576; KILL USER app");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.SetTextAsync(2_000_000));
        Assert.Equal(1, await app.ReadAsync());
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
    }

    private static async Task<MariaDbServer> StartAsync(params string[] arguments)
    {
        var server = new MariaDbServer(arguments);
        await server.InitializeAsync();
        return server;
    }

    private static SojournBuilder Use(SojournBuilder sojourn, string layout, string connectionString) =>
        layout == "native" ? sojourn.UseMySql(connectionString) : sojourn.UseExpressMySqlSession(connectionString);

    /// <summary>Many requests at once, so that the pool has many connections.</summary>
    private static async Task ParallelCountsAsync(StoreApp app, int count)
    {
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var answers = await Task.WhenAll(Enumerable.Range(1, count - 1).Select(_ => app.CountAsync()));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer));
    }
}
