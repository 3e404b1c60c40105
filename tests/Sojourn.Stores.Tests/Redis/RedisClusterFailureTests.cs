using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Redis;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A primary of a cluster is killed while many sessions are counted in.</summary>
public sealed class RedisClusterFailureTests
{
    private const int Sessions = 60;
    private readonly string[] _ids = new string[Sessions];
    private readonly int[] _acknowledged = new int[Sessions];
    private readonly int[] _unknown = new int[Sessions];
    private readonly bool[] _isGone = new bool[Sessions];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_writes_that_waited_for_a_replica_none_is_lost_when_a_primary_is_killed(bool replicaIsBehind) =>
        Assert.Equal(0, await LostAsync(waitForReplicas: 1, replicaIsBehind));

    [Fact]
    public async Task Of_writes_that_waited_for_none_those_are_lost_that_the_replica_had_not_heard_of() =>
        Assert.NotEqual(0, await LostAsync(waitForReplicas: 0, replicaIsBehind: true));

    [Fact]
    public async Task A_primary_that_gives_way_in_good_order_costs_no_write()
    {
        await using var cluster = new RedisCluster();
        await cluster.ConnectAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseRedis(cluster.Configuration, o => o.WaitForReplicas = 1));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var key = await cluster.AnyKeyAsync("sojourn:*");
        await cluster.FailOverAsync(key);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task Servers_that_do_not_agree_yet_where_a_session_belongs_cost_no_write()
    {
        await using var cluster = new RedisCluster();
        await cluster.ConnectAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseRedis(cluster.Configuration, o => o.WaitForReplicas = 1));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var agree = await cluster.MisleadAsync("sojourn:key");
        var creating = app.Store.CreateAsync("key", new SessionRecord("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddHours(1)), Token).AsTask();
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        await agree();
        Assert.True(await creating);
        Assert.NotNull(await app.Store.ReadAsync("key", Token));
    }

    [Fact]
    public async Task A_write_that_no_replica_confirms_is_a_503_until_one_does()
    {
        await using var cluster = new RedisCluster();
        await cluster.ConnectAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseConnectRedis(cluster.Configuration, o => o.WaitForReplicas = 1));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var key = await cluster.AnyKeyAsync("sess:*");
        var mend = await cluster.CutReplicaOfAsync(key);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await mend();
        await app.RecoveredAsync();

        // Those that failed may have been done, and were.
        Assert.True(await app.ReadAsync() >= 3);
    }

    [Fact]
    public async Task A_subscriber_whose_node_is_killed_is_told_and_hears_all_nodes_again()
    {
        await using var cluster = new RedisCluster();
        await cluster.ConnectAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(cluster.Configuration + ",connectTimeout=500");
        await using var store = new RedisSessionStore(connection, new() { Notifications = true });
        var news = Channel.CreateUnbounded<SessionNotification>();
        await using var subscription = await store.SubscribeAsync(notification => news.Writer.TryWrite(notification), Token);
        var listening = connection.GetSubscriber().SubscribedEndpoint(RedisChannel.Literal("sojourn:notifications"));
        await cluster.KillAsync(((IPEndPoint)listening!).Port);
        Assert.Equal(SessionNotificationKind.Missed, (await news.Reader.ReadAsync(Token)).Kind);
        for (var number = 0; number < 20; number++)
        {
            var key = number.ToString(CultureInfo.InvariantCulture);
            await cluster.PromotedAsync("sojourn:" + key);
            await store.CreateAsync(key, new SessionRecord("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddHours(1)), Token);
            await store.DeleteAsync(key, null, Token);
            while (await news.Reader.ReadAsync(Token) != new SessionNotification(SessionNotificationKind.Ended, key))
            {
            }
        }
    }

    /// <summary>How many acknowledged changes are gone in the end.</summary>
    private async Task<int> LostAsync(int waitForReplicas, bool replicaIsBehind)
    {
        await using var cluster = new RedisCluster();
        await cluster.ConnectAsync();
        await using var app = await StoreApp.StartAsync(
            builder => builder.UseRedis(cluster.Configuration + ",connectTimeout=500", o => o.WaitForReplicas = waitForReplicas));
        for (var number = 0; number < Sessions; number++)
        {
            var session = app.Sessions.Create();
            session.Set("count", 0);
            await app.Sessions.CommitAsync(session, Token);
            _ids[number] = session.Id;
        }

        var key = await cluster.AnyKeyAsync("sojourn:*");
        using var stop = new CancellationTokenSource();
        Task[] load = [.. Enumerable.Range(0, 2 * Sessions).Select(worker => Task.Run(() => CountAsync(app.Sessions, worker % Sessions, stop.Token), Token))];
        await EachCountsOnAsync(5, load);
        if (replicaIsBehind)
        {
            await cluster.CutReplicaOfAsync(key);
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);
        }

        var restart = await cluster.KillPrimaryOfAsync(key);
        await cluster.PromotedAsync(key);

        // The one that took over has no replica until the killed one is back.
        restart();
        await EachCountsOnAsync(5, load);
        await stop.CancelAsync();
        await Task.WhenAll(load);

        var lost = 0;
        for (var number = 0; number < Sessions; number++)
        {
            var stored = (await app.Sessions.LoadAsync(_ids[number], Token))?.Get<int>("count") ?? 0;
            Assert.True(stored <= _acknowledged[number] + _unknown[number]);
            lost += Math.Max(0, _acknowledged[number] - stored);
        }

        return lost;
    }

    private async Task CountAsync(SessionManager sessions, int number, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (await sessions.LoadAsync(_ids[number], Token) is not { } session)
                {
                    // The one that took over may not even have heard of it: all that was counted in it is lost.
                    Volatile.Write(ref _isGone[number], true);
                    return;
                }

                session.Update<int>("count", static count => count + 1);
                await sessions.CommitAsync(session, Token);
                Interlocked.Increment(ref _acknowledged[number]);
            }
            catch (SessionEndedException)
            {
                // Gone while it was counted in: the next turn finds it so.
            }
            catch (SessionStoreException)
            {
                Interlocked.Increment(ref _unknown[number]);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
            }
        }
    }

    /// <summary>Waits until each session has been counted in so often again, or is gone.</summary>
    private async Task EachCountsOnAsync(int more, Task[] load)
    {
        var goals = _acknowledged.Select(count => count + more).ToArray();
        for (var number = 0; number < Sessions; number++)
        {
            while (Volatile.Read(ref _acknowledged[number]) < goals[number] && !Volatile.Read(ref _isGone[number]))
            {
                if (load.FirstOrDefault(static worker => worker.IsFaulted) is { } ended) await ended;
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Token);
            }
        }
    }
}
