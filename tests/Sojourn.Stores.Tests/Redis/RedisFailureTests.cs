using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A running application, and a real server that has a bad day.</summary>
public sealed class RedisFailureTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Layouts => ["native", "connect-redis"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Killed_and_restarted_it_is_found_again_with_all_that_was_acknowledged(string layout)
    {
        await using var server = await RedisServer.StartNewAsync("--appendfsync", "always");
        await using var app = await StartAsync(server, layout);
        for (var count = 0; count < 3; count++) Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        server.Start();
        await app.RecoveredAsync();
        Assert.InRange(await app.ReadAsync(), 4, 5);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Away_it_has_no_empty_list_of_sessions(string layout)
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server, layout);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var index = app.Store.As<ISessionIndex>()!;
        Assert.Equal(1, await index.CountAsync(Token));
        await server.KillAsync();
        await Assert.ThrowsAnyAsync<RedisException>(async () =>
        {
            // It takes the driver a moment to notice.
            for (var attempt = 0; attempt < 100; attempt++)
            {
                Assert.Single(await index.PageAsync(null, 10, Token));
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
            }
        });
        await Assert.ThrowsAnyAsync<RedisException>(async () => await index.CountAsync(Token));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Frozen_it_is_a_503_and_it_recovers_by_itself(string layout)
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server, layout);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        server.Freeze();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        server.Thaw();
        await app.RecoveredAsync();

        // The write that nobody saw answered may have been done.
        Assert.InRange(await app.ReadAsync(), 2, 3);
    }

    [Fact]
    public async Task Away_at_the_start_it_is_found_once_it_is_there()
    {
        await using var server = await RedisServer.StartNewAsync();
        await server.KillAsync();
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        server.Start();
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task Still_loading_it_is_a_503_and_then_goes_on()
    {
        await using var server = await RedisServer.StartNewAsync("--enable-debug-command", "yes");
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.Connection.GetDatabase().ExecuteAsync("DEBUG", "POPULATE", "3000");
        await server.ConfigureAsync("key-load-delay", "500");
        await server.ConfigureAsync("loading-process-events-interval-bytes", "1024");
        var loading = server.Connection.GetDatabase().ExecuteAsync("DEBUG", "RELOAD");
        for (var attempt = 0; await app.CountAsync() == HttpStatusCode.OK; attempt++) Assert.True(attempt < 1000, "It never was loading.");
        await loading;
        await app.RecoveredAsync();
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Out_of_memory_writes_fail_reads_go_on_and_the_session_is_as_it_was(string layout)
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server, layout);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.ConfigureAsync("maxmemory", "1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.SetTextAsync(1000));
        Assert.Equal(1, await app.ReadAsync());
        using var another = app.NewVisitor();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await another.PostAsync(new Uri("/count", UriKind.Relative), null, Token)).StatusCode);
        await server.ConfigureAsync("maxmemory", "0");
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task Made_a_replica_it_is_not_asked_any_more()
    {
        await using var primary = await RedisServer.StartNewAsync();
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());

        // What the visitor had is the primary's, too.
        await primary.Server.ReplicaOfAsync(server.Server.EndPoint);
        await SyncedAsync(primary);
        await primary.Server.ReplicaOfAsync(null!);
        await server.Server.ReplicaOfAsync(primary.Server.EndPoint);
        await SyncedAsync(server);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.Server.ReplicaOfAsync(null!);
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task Without_the_replicas_that_the_server_demands_writes_fail_and_reads_go_on()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.ConfigureAsync("min-replicas-to-write", "1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(1, await app.ReadAsync());
        await server.ConfigureAsync("min-replicas-to-write", "0");
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task Out_of_connections_it_is_a_503_until_there_is_one()
    {
        await using var server = await RedisServer.StartNewAsync("--maxclients", "2");
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.ConfigureAsync("maxclients", "100");
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task Scripts_that_the_server_forgets_are_sent_again()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server);
        for (var count = 1; count <= 200; count++)
        {
            var flushed = server.Server.ScriptFlushAsync();
            Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
            await flushed;
        }

        Assert.Equal(200, await app.ReadAsync());
    }

    [Fact]
    public async Task A_name_that_another_program_uses_is_told_and_left_alone()
    {
        await using var server = await RedisServer.StartNewAsync();
        await using var app = await StartAsync(server);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var database = server.Connection.GetDatabase();
        var key = server.Server.Keys(pattern: "sojourn:*").Single();
        await database.KeyDeleteAsync(key);
        await database.ListRightPushAsync(key, "another's");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal("another's", Assert.Single(await database.ListRangeAsync(key)));
    }

    private static Task<StoreApp> StartAsync(RedisServer server, string layout = "native")
    {
        var configuration = server.Configuration + ",connectTimeout=500";
        return StoreApp.StartAsync(builder => _ = layout == "native" ? builder.UseRedis(configuration) : builder.UseConnectRedis(configuration));
    }

    private static async Task SyncedAsync(RedisServer replica)
    {
        var database = replica.Connection.GetDatabase();
        while (!((string)(await database.ExecuteAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal)) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
    }
}
