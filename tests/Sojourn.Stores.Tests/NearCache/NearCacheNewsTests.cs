using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Sojourn.MongoDb;
using Sojourn.PostgreSql;
using Sojourn.Redis;
using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.NearCache;

/// <summary>What the news of other processes is worth to a near cache. No time passes for the copies here: what is seen is seen because it was told.</summary>
public sealed class NearCacheNewsTests(RedisServer redis, PostgresServer postgres, MongoServer mongo)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Whatever the order of readings, answers and news was: when the last news is heard, no near cache has anything but what is stored.</summary>
    [Theory]
    [InlineData("redis")]
    [InlineData("postgresql")]
    [InlineData("mongodb")]
    public async Task Once_the_news_is_heard_every_copy_is_what_is_stored(string database)
    {
        var (open, close) = await DatabaseAsync(database);
        await using var closed = close;
        var stored = open();
        await using var here = await Process.StartAsync(open());
        await using var there = await Process.StartAsync(open());
        Process[] both = [here, there];
        for (var round = 0; round < 100; round++)
        {
            var keys = Enumerable.Range(0, 3).Select(number => $"round{round}-{number}").ToArray();
            foreach (var key in keys) await stored.CreateAsync(key, Record("0"), Token);
            await Task.WhenAll(Enumerable.Range(0, 6).Select(worker => Task.Run(
                async () =>
                {
                    for (var step = 0; step < 6; step++)
                    {
                        var (near, key) = (both[(worker + step) % 2].Near, keys[(worker * step) % keys.Length]);
                        var record = await near.ReadAsync(key, Token);
                        if (record is not null && (worker + step) % 3 == 0) await near.ReplaceAsync(key, record, Record($"{worker}.{step}"), Token);
                        else if ((worker, step) == (5, 4)) await near.DeleteAsync(key, null, Token);
                    }
                },
                Token)));
            await stored.CreateAsync("end of " + round, Record("0"), Token);
            await stored.DeleteAsync("end of " + round, null, Token);
            foreach (var process in both)
            {
                await process.HeardAsync("end of " + round);
                foreach (var key in keys) Assert.Equal((await stored.ReadAsync(key, Token))?.Version, (await process.Near.ReadAsync(key, Token))?.Version);
            }
        }
    }

    /// <summary>Its own write is told to a process too, and must not cost it the copy: what is read next is what was written, without a reading.</summary>
    [Theory]
    [InlineData("redis")]
    [InlineData("postgresql")]
    [InlineData("mongodb")]
    public async Task A_process_keeps_what_it_wrote_when_it_is_told_of_it(string database)
    {
        var (open, close) = await DatabaseAsync(database);
        await using var closed = close;
        var store = new Testing.FaultInjectingStore(open());
        await using var process = await Process.StartAsync(store);
        await process.Near.CreateAsync("key", Record("0"), Token);
        var record = (await process.Near.ReadAsync("key", Token))!;
        store.ResetCounts();
        for (var write = 1; write <= 50; write++)
        {
            record = (await process.Near.ReplaceAsync("key", record, Record($"{write}"), Token)).Record!;
            await process.HeardAsync("key");
            Assert.Same(record, await process.Near.ReadAsync("key", Token));
        }

        Assert.Equal(0, store.CallsOf(Testing.StoreVerb.Read));
    }

    [Theory]
    [InlineData("redis")]
    [InlineData("postgresql")]
    public async Task What_was_missed_while_the_connection_was_lost_is_seen_once_it_stands_again(string database)
    {
        // One of its own: connections of other tests are left alone.
        await using var own = database == "redis" ? await RedisServer.StartNewAsync() : null;
        await using var connection = own is null ? null : await ConnectionMultiplexer.ConnectAsync(own.Configuration);
        var (open, close) = await DatabaseAsync(database, own);
        await using var closed = close;
        var stored = open();
        await using var process = await Process.StartAsync(connection is null ? open() : new RedisSessionStore(connection, new() { Notifications = true }));
        await stored.CreateAsync("key", Record("0"), Token);
        var record = (await process.Near.ReadAsync("key", Token))!;
        if (own is not null) await own.Server.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
        else await postgres.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            ((NpgsqlDataSource)close!).ConnectionString);
        await stored.ReplaceAsync("key", record, Record("1"), Token);
        for (var attempt = 0; Encoding.UTF8.GetString((await process.Near.ReadAsync("key", Token))!.Document.Span) != """{"n":"1"}"""; attempt++)
        {
            Assert.True(attempt < 600, "It was never told.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
    }

    private static SessionRecord Record(string text) => new(Encoding.UTF8.GetBytes($$"""{"n":"{{text}}"}"""), TimeProvider.System.GetUtcNow().AddHours(1));

    private async Task<(Func<ISessionStore> Open, IAsyncDisposable? Close)> DatabaseAsync(string database, RedisServer? own = null)
    {
        if (database == "redis")
        {
            var (connection, prefix) = own is null ? (redis.Connection, $"test:{Path.GetRandomFileName()}:") : (own.Connection, "sojourn:");
            return (() => new RedisSessionStore(connection, new() { KeyPrefix = prefix, Notifications = true }), new RedisSessionStore(connection));
        }

        if (database == "mongodb")
        {
            var collection = "test_" + Path.GetRandomFileName();
            MongoDbSessionStore Open() => new(mongo.Client, new() { DatabaseName = mongo.DatabaseName, CollectionName = collection, Notifications = true });
            return (Open, null);
        }

        var source = PostgreSqlDatabase.Open(await postgres.NewDatabaseAsync());
        return (() => new PostgreSqlSessionStore(source, new() { Notifications = true }), source);
    }

    /// <summary>A near cache that listens.</summary>
    private sealed class Process : IAsyncDisposable
    {
        private readonly Channel<SessionNotification> _news = Channel.CreateUnbounded<SessionNotification>();
        private IAsyncDisposable? _subscription;

        private Process(ISessionStore store) => Near = store.WithNearCache(new FakeTimeProvider());

        public ISessionStore Near { get; }

        public static async Task<Process> StartAsync(ISessionStore store)
        {
            var process = new Process(store);
            process._subscription = await process.Near.As<ISessionNotifications>()!.SubscribeAsync(
                notification => process._news.Writer.TryWrite(notification), Token);
            return process;
        }

        public async Task HeardAsync(string key)
        {
            while ((await _news.Reader.ReadAsync(Token)).Key != key)
            {
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (_subscription is not null) await _subscription.DisposeAsync();
            if (Near is IAsyncDisposable near) await near.DisposeAsync();
        }
    }
}
