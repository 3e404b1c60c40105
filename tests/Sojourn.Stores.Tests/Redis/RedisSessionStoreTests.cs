using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
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
        await Database.SortedSetAddAsync(_prefix + "label:subject:1", [new("old", now.AddHours(-1).ToUnixTimeMilliseconds()), new("new", now.ToUnixTimeMilliseconds())]);
        Assert.Empty(await store.FindAsync("subject:1", Token));
        Assert.Equal(["new"], (await Database.SortedSetRangeByRankAsync(_prefix + "label:subject:1")).Select(name => name.ToString()));
    }

    [Fact]
    public async Task Each_verb_is_one_command_on_the_records_key()
    {
        await using var own = new RedisServer();
        await own.InitializeAsync();
        var store = new RedisSessionStore(own.Connection);
        await store.CreateAsync("warm", Record("{}"), Token);
        await store.ReplaceAsync("warm", (await store.ReadAsync("warm", Token))!, Record("{}"), Token);
        Assert.Equal(["set"], await CommandsOfAsync(own, () => store.CreateAsync("key", Record("{}"), Token).AsTask()));
        SessionRecord? current = null;
        Assert.Equal(["get"], await CommandsOfAsync(own, async () => current = await store.ReadAsync("key", Token)));

        // What a script runs counts, too.
        Assert.Equal(["evalsha", "getrange", "set"], await CommandsOfAsync(own, () => store.ReplaceAsync("key", current!, Record("""{"a":1}"""), Token).AsTask()));
    }

    [Fact]
    public async Task A_key_that_holds_something_else_is_told_and_left_alone()
    {
        await Database.StringSetAsync(_prefix + "key", "not a session");
        await Assert.ThrowsAsync<FormatException>(async () => await Store.ReadAsync("key", Token));
        Assert.False(await Store.CreateAsync("key", Record("{}"), Token));
        Assert.Equal("not a session", await Database.StringGetAsync(_prefix + "key"));
    }

    [Fact]
    public async Task A_server_that_was_killed_is_found_again_with_what_it_had_stored()
    {
        await using var own = new RedisServer();
        await own.InitializeAsync();
        await using var services = new ServiceCollection().AddSojournCore().UseRedis(own.Configuration + ",connectTimeout=1000,syncTimeout=1000").Services
            .Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada");
        await manager.CommitAsync(session, Token);

        // Redis writes its log to the disk once a second.
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System, Token);
        await own.KillAsync();
        await Assert.ThrowsAsync<SessionStoreException>(async () => await manager.LoadAsync(session.Id, Token));
        own.Start();
        Session? found = null;
        for (var attempt = 0; found is null && attempt < 100; attempt++)
        {
            try
            {
                found = await manager.LoadAsync(session.Id, Token);
            }
            catch (SessionStoreException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }

        Assert.Equal("Ada", found?.Get<string>("name"));
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
        Assert.Contains("TimeToLive", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<SessionManager>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_and_configurations_that_cannot_be_meant_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new RedisSessionStore(server.Connection, new() { KeyPrefix = "" }));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddSojournCore().UseRedis("localhost,nonsense=1"));
        using var services = new ServiceCollection().AddSojournCore().UseRedis(_ => server.Connection, o => o.KeyPrefix = "").Services.BuildServiceProvider();
        Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ISessionStore>());
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
            .ToDictionary(line => line.Key["cmdstat_".Length..], line => long.Parse(line.Value.Split(',')[0]["calls=".Length..], System.Globalization.CultureInfo.InvariantCulture));
}
