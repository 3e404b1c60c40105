using System.Net;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Redis;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>What the conformance suite does not know of Redis.</summary>
public sealed class RedisSessionStoreTests(RedisServer server)
{
    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IDatabase Database => server.Connection.GetDatabase();

    private RedisSessionStore Store => new(server.Connection, new() { KeyPrefix = _prefix });

    [Fact]
    public async Task Redis_drops_a_record_a_little_after_its_end_and_labels_later()
    {
        var ends = TimeProvider.System.GetUtcNow().AddMinutes(20);
        Assert.True(await Store.CreateAsync("key", Record("{}", ends, "subject:1"), Token));
        var (record, label) = (await DropsAtAsync("key"), await DropsAtAsync("label:subject:1"));
        Assert.InRange(record, ends.AddMinutes(1).AddSeconds(-1), ends.AddMinutes(2).AddSeconds(1));
        Assert.True(label > record);

        var current = (await Store.ReadAsync("key", Token))!;
        await Store.TouchAsync("key", current, ends.AddMinutes(10), Token);
        Assert.InRange(await DropsAtAsync("key"), ends.AddMinutes(11).AddSeconds(-1), ends.AddMinutes(12).AddSeconds(1));
        Assert.True(await DropsAtAsync("label:subject:1") > await DropsAtAsync("key"));
    }

    [Fact]
    public async Task A_label_that_points_to_nothing_is_removed_when_it_is_read_unless_it_may_be_of_a_record_being_written()
    {
        var store = Store;
        var now = TimeProvider.System.GetUtcNow();
        await Database.SortedSetAddAsync(
            _prefix + "label:subject:1", [new("old", now.AddHours(-1).ToUnixTimeMilliseconds()), new("new", now.ToUnixTimeMilliseconds())]);
        Assert.Empty(await store.FindAsync("subject:1", Token));
        Assert.Equal(["new"], (await Database.SortedSetRangeByRankAsync(_prefix + "label:subject:1")).Select(name => name.ToString()));
    }

    [Fact]
    public async Task Each_verb_is_one_command_on_the_records_key()
    {
        await using var own = await RedisServer.StartNewAsync();
        var store = new RedisSessionStore(own.Connection);
        await store.CreateAsync("warm", Record("{}"), Token);
        var warm = (await store.ReadAsync("warm", Token))!;
        await store.ReplaceAsync("warm", warm, warm, Token);
        await store.TouchAsync("warm", warm, warm.ExpiresAt, Token);
        await store.DeleteAsync("warm", warm, Token);
        Assert.Equal(["evalsha", "set"], await CommandsOfAsync(own, () => store.CreateAsync("key", Record("{}"), Token).AsTask()));
        SessionRecord? current = null;
        Assert.Equal(["get"], await CommandsOfAsync(own, async () => current = await store.ReadAsync("key", Token)));

        // What a script runs counts, too.
        Assert.Equal(
            ["evalsha", "getrange", "set"],
            await CommandsOfAsync(own, async () => current = (await store.ReplaceAsync("key", current!, Record("1"), Token)).Record));
        Assert.Equal(
            ["evalsha", "getrange", "pexpireat", "setrange"],
            await CommandsOfAsync(own, () => store.TouchAsync("key", current!, current!.ExpiresAt.AddMinutes(1), Token).AsTask()));
        Assert.Equal(["del", "evalsha", "getrange"], await CommandsOfAsync(own, () => store.DeleteAsync("key", current, Token).AsTask()));
    }

    [Fact]
    public async Task In_the_layout_of_connect_redis_each_verb_is_one_command()
    {
        await using var own = await RedisServer.StartNewAsync();
        var store = new ConnectRedisSessionStore(own.Connection);
        await store.CreateAsync("warm", Record("{}"), Token);
        var warm = (await store.ReadAsync("warm", Token))!;
        await store.TouchAsync("warm", warm, warm.ExpiresAt, Token);
        warm = (await store.ReplaceAsync("warm", warm, Record("1"), Token)).Record;
        await store.DeleteAsync("warm", warm, Token);
        await store.DeleteAsync("warm", null, Token);

        // What a script runs counts, too.
        Assert.Equal(["evalsha", "exists", "set"], await CommandsOfAsync(own, () => store.CreateAsync("key", Record("{}"), Token).AsTask()));
        SessionRecord? current = null;
        Assert.Equal(["evalsha", "get", "pttl"], await CommandsOfAsync(own, async () => current = await store.ReadAsync("key", Token)));
        Assert.Equal(
            ["evalsha", "expire", "get"],
            await CommandsOfAsync(own, () => store.TouchAsync("key", current!, current!.ExpiresAt.AddMinutes(1), Token).AsTask()));
        Assert.Equal(
            ["evalsha", "get", "set"],
            await CommandsOfAsync(own, async () => current = (await store.ReplaceAsync("key", current!, Record("1"), Token)).Record));
        Assert.Equal(["del", "evalsha", "get"], await CommandsOfAsync(own, () => store.DeleteAsync("key", current, Token).AsTask()));
        Assert.Equal(["del", "evalsha"], await CommandsOfAsync(own, () => store.DeleteAsync("key", null, Token).AsTask()));
    }

    [Theory]
    [InlineData("native", "~sojourn:*")]
    [InlineData("connect-redis", "~sess:*")]
    public async Task A_user_who_may_run_no_scripts_is_told_so_and_needs_no_more_than_the_documentation_grants(string layout, string keys)
    {
        await using var own = await RedisServer.StartNewAsync();
        await own.Server.ExecuteAsync("ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", "-@scripting");
        await using var refused = await StartAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await refused.CountAsync());
        var error = await Assert.ThrowsAsync<RedisServerException>(async () => await refused.Store.CreateAsync("key", Record("{}"), Token));
        Assert.Matches("NOPERM.*(eval|script)", error.Message);

        // As docs/stores/redis.md says it.
        var granted = $"reset on >secret {keys} &sojourn:* +@read +@write +@scripting +@connection -@dangerous +info +time +config|get +cluster|nodes "
            + "+publish +subscribe";
        await own.Server.ExecuteAsync("ACL", ["SETUSER", "shop", .. granted.Split(' ')]);
        await using var app = await StartAsync();
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(2, await app.ReadAsync());
        var index = app.Store.As<ISessionIndex>()!;
        Assert.Equal(1, await index.CountAsync(Token));
        if (layout == "native")
        {
            using var signedIn = await app.Visitor.PostAsync(new Uri("/sign-in/ada", UriKind.Relative), null, Token);
            Assert.Equal(HttpStatusCode.OK, signedIn.StatusCode);
            Assert.Equal(1, await app.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token));
        }

        Task<StoreApp> StartAsync() => StoreApp.StartAsync(builder =>
        {
            var configuration = own.Configuration + ",user=shop,password=secret";
            _ = layout == "native" ? builder.UseRedis(configuration, o => o.Notifications = true) : builder.UseConnectRedis(configuration);
        });
    }

    [Theory]
    [InlineData("+publish resetchannels")]
    [InlineData("-publish")]
    public async Task A_user_who_may_not_listen_or_tell_learns_so_by_subscribing(string rights)
    {
        await using var own = await RedisServer.StartNewAsync();
        await own.Server.ExecuteAsync("ACL", ["SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all", .. rights.Split(' ')]);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(own.Configuration + ",user=shop,password=secret");
        await using var store = new RedisSessionStore(connection, new() { Notifications = true });
        var refused = await Assert.ThrowsAsync<RedisServerException>(async () => await store.SubscribeAsync(_ => { }, Token));
        Assert.Contains("NOPERM", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Labels_that_stay_as_they_are_cost_a_write_nothing_until_the_record_lives_on_to_another_day()
    {
        await using var own = await RedisServer.StartNewAsync();
        var noon = new DateTimeOffset(2031, 5, 6, 12, 0, 0, TimeSpan.Zero);
        var store = new RedisSessionStore(own.Connection, timeProvider: new FakeTimeProvider(noon));
        string[] labels = ["subject:1", "handle:a"];
        Assert.True(await store.CreateAsync("key", Record("{}", noon.AddHours(1), labels), Token));
        var current = (await store.ReadAsync("key", Token))!;
        await store.ReplaceAsync("warm", current, current, Token);
        await store.TouchAsync("warm", current, current.ExpiresAt, Token);
        Assert.Equal(["evalsha", "getrange", "set"], await CommandsOfAsync(own, async () =>
            current = (await store.ReplaceAsync("key", current, Record("1", noon.AddHours(2), [.. labels.Reverse()]), Token)).Record!));
        Assert.Equal(["evalsha", "getrange", "pexpireat", "setrange"], await CommandsOfAsync(own, async () =>
            current = (await store.TouchAsync("key", current, noon.AddHours(3), Token)).Record!));
        Assert.Contains("zadd", await CommandsOfAsync(own, async () => current = (await store.TouchAsync("key", current, noon.AddHours(13), Token)).Record!));
        Assert.Contains(
            "zadd",
            await CommandsOfAsync(own, () => store.ReplaceAsync("key", current, Record("2", noon.AddHours(13), [.. labels, "group:1"]), Token).AsTask()));
        Assert.Equal("key", Assert.Single(await store.FindAsync("subject:1", Token)).Key);
    }

    [Fact]
    public async Task A_label_that_many_records_had_is_looked_through_for_those_that_are_gone()
    {
        var label = _prefix + "label:subject:1";
        var hourAgo = TimeProvider.System.GetUtcNow().AddHours(-1).ToUnixTimeMilliseconds();
        await Database.SortedSetAddAsync(label, [.. Enumerable.Range(0, 63).Select(number => new SortedSetEntry(number, hourAgo))]);
        await Store.CreateAsync("key", Record("{}", null, "subject:1"), Token);
        Assert.Equal(["key"], (await Database.SortedSetRangeByRankAsync(label)).Select(name => name.ToString()));
    }

    [Fact]
    public async Task A_subscription_needs_the_option_and_a_write_with_it_is_one_script_still()
    {
        Assert.Contains("RedisSessionStoreOptions.Notifications", (await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await Store.SubscribeAsync(_ => { }, Token))).Message, StringComparison.Ordinal);
        await using var own = await RedisServer.StartNewAsync();
        var store = new RedisSessionStore(own.Connection, new() { Notifications = true });
        await store.CreateAsync("key", Record("{}"), Token);
        var current = (await store.ReadAsync("key", Token))!;
        await store.ReplaceAsync("warm", current, current, Token);
        Assert.Equal(["evalsha", "getrange", "publish", "set"], await CommandsOfAsync(own, () => store.ReplaceAsync("key", current, current, Token).AsTask()));
    }

    [Fact]
    public async Task A_subscriber_is_told_that_it_may_have_missed_something_once_it_hears_again()
    {
        await using var own = await RedisServer.StartNewAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(own.Configuration + ",abortConnect=false,connectTimeout=500,channelPrefix=app:");
        await using var store = new RedisSessionStore(connection, new() { Notifications = true });
        var news = Channel.CreateUnbounded<SessionNotification>();
        await using var subscription = await store.SubscribeAsync(notification => news.Writer.TryWrite(notification), Token);
        await store.CreateAsync("before", Record("{}"), Token);
        await store.DeleteAsync("before", null, Token);
        Assert.Equal(new(SessionNotificationKind.Ended, "before"), await news.Reader.ReadAsync(Token));
        await own.KillAsync();
        own.Start();
        Assert.Equal(new(SessionNotificationKind.Missed, null), await news.Reader.ReadAsync(Token));
        await store.CreateAsync("after", Record("{}"), Token);
        await store.DeleteAsync("after", null, Token);
        SessionNotification heard;
        do heard = await news.Reader.ReadAsync(Token);
        while (heard.Kind == SessionNotificationKind.Missed);
        Assert.Equal(new(SessionNotificationKind.Ended, "after"), heard);
    }

    [Fact]
    public async Task A_clock_that_is_a_minute_off_neither_drops_a_record_early_nor_shortens_a_lease()
    {
        var now = TimeProvider.System.GetUtcNow();
        var behind = new RedisSessionStore(server.Connection, new() { KeyPrefix = _prefix }, new FakeTimeProvider(now.AddMinutes(-1)));
        Assert.True(await behind.CreateAsync("key", Record("{}", now.AddMinutes(20), "subject:1"), Token));
        Assert.True(await DropsAtAsync("key") > now.AddMinutes(20));
        Assert.Equal("key", Assert.Single(await Store.FindAsync("subject:1", Token)).Key);
        Assert.True(await behind.TryAcquireAsync("key", "a", TimeSpan.FromSeconds(30), Token));
        Assert.False(await Store.TryAcquireAsync("key", "b", TimeSpan.FromSeconds(30), Token));
    }

    [Fact]
    public async Task A_key_that_holds_something_else_is_told_and_left_alone()
    {
        await Database.StringSetAsync(_prefix + "key", "not a session");
        await Assert.ThrowsAsync<FormatException>(async () => await Store.ReadAsync("key", Token));
        Assert.False(await Store.CreateAsync("key", Record("{}"), Token));
        await Assert.ThrowsAsync<FormatException>(async () => await Store.DeleteAsync("key", null, Token));
        Assert.Equal("not a session", await Database.StringGetAsync(_prefix + "key"));
    }

    [Fact]
    public async Task In_the_layout_of_connect_redis_a_session_is_its_JSON_under_its_id_and_lives_as_long_as_its_cookie()
    {
        await using var services = new ServiceCollection().AddSojournCore().UseConnectRedis(_ => server.Connection, o => o.KeyPrefix = _prefix).Services
            .Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada");
        await manager.CommitAsync(session, Token);
        var key = _prefix + session.Id;
        Assert.StartsWith("""{"cookie":{"originalMaxAge":null,"expires":null""", await Database.StringGetAsync(key), StringComparison.Ordinal);
        Assert.InRange((await Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromHours(23.9), TimeSpan.FromHours(24.1));

        // As a Node application writes it.
        await Database.StringSetAsync(key, """{"cookie":{"originalMaxAge":60000,"expires":"2030-01-02T03:04:05.678Z","httpOnly":true,"path":"/"},"views":1}""", TimeSpan.FromMinutes(1));
        var loaded = (await manager.LoadAsync(session.Id, Token))!;
        loaded.Update<int>("views", views => views + 1);
        await manager.CommitAsync(loaded, Token);
        Assert.EndsWith("""},"views":2}""", await Database.StringGetAsync(key), StringComparison.Ordinal);
        Assert.InRange((await Database.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(61));
    }

    [Fact]
    public async Task Beside_the_layout_of_connect_redis_an_idle_timeout_is_refused()
    {
        await using var services = new ServiceCollection().AddSojournCore().UseConnectRedis(_ => server.Connection).Services
            .Configure<SojournOptions>(o => (o.ApplicationName, o.IdleTimeout) = ("tests", TimeSpan.FromHours(1))).BuildServiceProvider();
        Assert.Contains(
            "TimeToLive", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<SessionManager>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_and_configurations_that_cannot_be_meant_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new RedisSessionStore(server.Connection, new() { KeyPrefix = "" }));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddSojournCore().UseRedis("localhost,nonsense=1"));
        Assert.Throws<ArgumentException>(() => new RedisSessionStore(server.Connection, new() { WaitForReplicas = 1 }));
        Assert.Contains("KeyPrefix", Refusal(builder => builder.UseRedis(_ => server.Connection, o => o.KeyPrefix = "")), StringComparison.Ordinal);
        Assert.Contains("WaitForReplicas", Refusal(builder => builder.UseRedis("localhost", o => o.WaitForReplicas = 11)), StringComparison.Ordinal);
        Assert.Contains("WaitForReplicas", Refusal(builder => builder.UseConnectRedis("localhost", o => o.WaitForReplicas = -1)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_section_of_the_configuration_holds_the_connection_string_and_the_options()
    {
        var section = Section(("ConnectionString", server.Configuration), ("KeyPrefix", _prefix), ("Notifications", "true"));
        await using var services = new ServiceCollection().AddSojournCore().UseRedis(section).Services.BuildServiceProvider();
        Assert.True(await services.GetRequiredService<ISessionStore>().CreateAsync("key", Record("{}"), Token));
        Assert.True(await Database.KeyExistsAsync(_prefix + "key"));
        Assert.True(services.GetRequiredService<IOptions<RedisSessionStoreOptions>>().Value.Notifications);

        section = Section(("ConnectionString", server.Configuration), ("TimeToLive", "00:30:00"), ("DisableTouch", "true"));
        await using var node = new ServiceCollection().AddSojournCore().UseConnectRedis(
            section, o => o.KeyPrefix = _prefix + "sess:").Services.BuildServiceProvider();
        var layout = Assert.IsType<INodeLayout>(node.GetRequiredService<ISessionStore>(), exactMatch: false);
        Assert.Equal((TimeSpan.FromMinutes(30), false), (layout.TimeToLive, layout.CanTouch));

        Assert.Contains("RedisSessionStoreOptions.ConnectionString", Refusal(builder => builder.UseRedis(Section())), StringComparison.Ordinal);
        Assert.Contains(
            "ConnectRedisSessionStoreOptions.ConnectionString", Refusal(builder => builder.UseConnectRedis(Section(("ConnectionString", "a,b=1")))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void With_express_session_a_time_to_live_beside_the_layouts_own_is_refused()
    {
        var builder = new HostApplicationBuilder();
        builder.Services.AddExpressSession(o => (o.Secret, o.TimeToLive) = ("a secret", TimeSpan.FromDays(7))).UseConnectRedis(server.Configuration);
        using var host = builder.Build();
        var refused = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<SessionManager>());
        Assert.Contains("ExpressSessionOptions.TimeToLive", refused.Message, StringComparison.Ordinal);
    }

    private static IConfiguration Section(params (string Name, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(
            values.Select(value => KeyValuePair.Create("Redis:" + value.Name, (string?)value.Value))).Build().GetSection("Redis");

    /// <summary>What a start with senseless options says.</summary>
    private static string Refusal(Action<SojournBuilder> use)
    {
        var builder = new ServiceCollection().AddSojournCore();
        use(builder);
        using var services = builder.Services.BuildServiceProvider();
        return Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ISessionStore>()).Message;
    }

    private static SessionRecord Record(string document, DateTimeOffset? expiresAt = null, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(document), expiresAt ?? TimeProvider.System.GetUtcNow().AddHours(1), [.. labels]);

    private async Task<DateTimeOffset> DropsAtAsync(string key) => (await Database.KeyExpireTimeAsync(_prefix + key))!.Value;

    /// <summary>What the server did, by its own statistics of commands.</summary>
    private static async Task<string[]> CommandsOfAsync(RedisServer own, Func<Task> act)
    {
        var redis = own.Connection.GetServers()[0];
        var before = await CallsAsync(redis);
        await act();
        var after = await CallsAsync(redis);
        return [.. after.Where(call => call.Key is not ("info" or "ping") && call.Value > before.GetValueOrDefault(call.Key)).Select(call => call.Key).Order(StringComparer.Ordinal)];
    }

    private static async Task<Dictionary<string, long>> CallsAsync(IServer redis) =>
        (await redis.InfoAsync("commandstats")).SelectMany(group => group)
            .ToDictionary(
                line => line.Key["cmdstat_".Length..],
                line => long.Parse(line.Value.Split(',')[0]["calls=".Length..], System.Globalization.CultureInfo.InvariantCulture));
}
