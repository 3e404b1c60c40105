using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sojourn.Redis;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>Connections, keys and neighbours that are otherwise than most.</summary>
public sealed class RedisSurroundingsTests(RedisServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static SessionRecord Record(string json, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(json), TimeProvider.System.GetUtcNow().AddHours(1), [.. labels]);

    [Theory]
    [InlineData("secret,x=1")]
    [InlineData("secret,abortConnect=maybe")]
    public async Task A_given_connection_may_have_any_password(string password)
    {
        await using var own = await RedisServer.StartNewAsync("--requirepass", password);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(
            new ConfigurationOptions { EndPoints = { own.Configuration }, Password = password });
        await using var store = new RedisSessionStore(connection);
        Assert.True(await store.CreateAsync("key", Record("{}"), Token));
    }

    [Fact]
    public async Task A_session_that_Node_keeps_for_ten_thousand_years_is_read()
    {
        await using var own = await RedisServer.StartNewAsync();
        await own.Connection.GetDatabase().ExecuteAsync("SET", "sess:key", "{}", "EX", 315576000000L);
        await using var store = new ConnectRedisSessionStore(own.Connection);
        Assert.NotNull(await store.ReadAsync("key", Token));
        const string Id = "01234567890123456789012345678901";
        const string Text = """{"cookie":{"originalMaxAge":315576000000000,"expires":"+012026-07-01T00:00:00.000Z","httpOnly":true,"path":"/"},"count":1}""";
        await own.Connection.GetDatabase().ExecuteAsync("SET", "sess:" + Id, Text, "EX", 315576000000L);
        var builder = new HostApplicationBuilder();
        builder.Services.AddExpressSession(o => o.Secrets = ["a secret that only these tests know"]).UseConnectRedis(own.Configuration);
        using var provider = builder.Build();
        var manager = provider.Services.GetRequiredService<SessionManager>();
        var session = (await manager.LoadAsync(Id, Token))!;
        Assert.Equal(1, session.Get<int>("count"));
        session.Set("count", 2);
        await manager.CommitAsync(session, Token);
        Assert.Equal(2, (await manager.LoadAsync(Id, Token))!.Get<int>("count"));
    }

    [Fact]
    public async Task A_subscription_may_be_disposed_of_twice()
    {
        await using var own = await RedisServer.StartNewAsync();
        await using var store = new RedisSessionStore(own.Connection, new() { Notifications = true });
        var subscription = await store.SubscribeAsync(_ => { }, Token);
        await subscription.DisposeAsync();
        await subscription.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("shop")]
    public void A_prefix_ends_with_a_colon_so_that_none_begins_as_another_does(string prefix) =>
        Assert.Contains("KeyPrefix", Assert.Throws<ArgumentException>(
            () => new RedisSessionStore(server.Connection, new() { KeyPrefix = prefix })).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Ending_everything_spares_an_application_whose_prefix_begins_alike()
    {
        await using var own = await RedisServer.StartNewAsync();
        await using var shop = await StoreApp.StartAsync(builder => builder.UseRedis(own.Configuration, o => o.KeyPrefix = "shop:"));
        await using var other = await StoreApp.StartAsync(builder => builder.UseRedis(own.Configuration, o => o.KeyPrefix = "shop:admin:"));
        Assert.Equal(HttpStatusCode.OK, await other.CountAsync());
        await shop.Administration.EndEverythingAsync(cancellationToken: Token);
        Assert.Equal(1, await other.ReadAsync());
    }
}
