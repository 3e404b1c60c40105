using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests;

/// <summary>Two applications on one store: what the one ends, the other notices, where somebody waits for it.</summary>
public sealed class EndedTests(RedisServer redis, PostgresServer postgres, MariaDbServer mariaDb, MongoServer mongo) : IDisposable
{
    /// <summary>Where the store tells: what is noticed before is noticed because it was told.</summary>
    private static readonly TimeSpan Never = TimeSpan.FromHours(1);

    private readonly TempDirectory _directory = new();
    private readonly string _name = "t" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);

    public static TheoryData<string> Stores =>
        ["redis", "redis, told", "redis, told, near cache", "postgresql", "postgresql, told", "mysql", "mongodb", "mongodb, told", "sqlite"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task O31_What_another_application_ends_is_noticed_and_a_new_id_is_followed(string store)
    {
        var database = await DatabaseAsync(store);
        await using var here = await StartAsync(store, database);
        await using var there = await StartAsync(store, database);
        var (ended, destroyed, lives) = (await SignInAsync(here, "ada"), await SignInAsync(here, "bob"), await SignInAsync(here, "eve"));
        var (ofEnded, ofDestroyed, ofLives) = (ended.Ended, destroyed.Ended, lives.Ended);

        var elsewhere = (await there.Sessions.LoadAsync(ended.Id, Token))!;
        await elsewhere.RenewIdAsync(Token);
        var lively = (await there.Sessions.LoadAsync(lives.Id, Token))!;
        await lively.RenewIdAsync(Token);
        await (await there.Sessions.LoadAsync(destroyed.Id, Token))!.DestroyAsync(Token);
        await NoticedAsync(ofDestroyed);
        Assert.False(ofEnded.IsCancellationRequested);

        Assert.Equal(1, await there.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token));
        await NoticedAsync(ofEnded);
        Assert.False(ofLives.IsCancellationRequested);

        await lively.RenewIdAsync(Token);
        await lively.DestroyAsync(Token);
        await NoticedAsync(ofLives);
    }

    [Theory]
    [InlineData("redis, told")]
    [InlineData("postgresql, told")]
    public async Task What_ended_while_the_news_was_lost_is_noticed_once_the_connection_stands_again(string store)
    {
        // One of its own: connections of other tests are left alone.
        await using var own = store.StartsWith("redis", StringComparison.Ordinal) ? await RedisServer.StartNewAsync() : null;
        var database = own?.Configuration ?? await DatabaseAsync(store);
        await using var here = await StartAsync(store, database);
        await using var there = await StartAsync(store, database);
        var (first, second) = (await SignInAsync(here, "ada"), await SignInAsync(here, "bob"));
        var (ofFirst, ofSecond) = (first.Ended, second.Ended);
        await (await there.Sessions.LoadAsync(first.Id, Token))!.DestroyAsync(Token);
        await NoticedAsync(ofFirst);

        if (own is not null) await own.Server.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
        else await postgres.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'", database);
        await (await there.Sessions.LoadAsync(second.Id, Token))!.DestroyAsync(Token);
        await NoticedAsync(ofSecond);
    }

    [Fact]
    public async Task A_server_that_is_away_is_no_end_and_what_ended_is_noticed_when_it_is_back()
    {
        await using var own = await RedisServer.StartNewAsync();
        await using var here = await StartAsync("redis", own.Configuration);
        await using var there = await StartAsync("redis", own.Configuration);
        var (gone, lives) = (await SignInAsync(here, "ada"), await SignInAsync(here, "bob"));
        var (ofGone, ofLives) = (gone.Ended, lives.Ended);
        var elsewhere = (await there.Sessions.LoadAsync(gone.Id, Token))!;
        own.Freeze();
        await Assert.ThrowsAsync<SessionStoreException>(async () => await here.Sessions.LoadAsync(lives.Id, Token));
        Assert.False(ofGone.IsCancellationRequested || ofLives.IsCancellationRequested);
        own.Thaw();
        await there.RecoveredAsync();
        await elsewhere.DestroyAsync(Token);
        await NoticedAsync(ofGone);
        Assert.False(ofLives.IsCancellationRequested);
    }

    [Fact]
    public async Task In_the_layout_of_an_npm_store_what_a_Node_application_destroys_is_noticed()
    {
        await using var here = await StoreApp.StartAsync(
            builder => builder.UseConnectRedis(redis.Configuration, o => o.KeyPrefix = _name), o => o.EndedCheckInterval = TimeSpan.FromMilliseconds(100));
        var session = await SignInAsync(here, "ada");
        var ended = session.Ended;

        // As connect-redis does it.
        Assert.True(await redis.Connection.GetDatabase().KeyDeleteAsync(_name + session.Id));
        await NoticedAsync(ended);
    }

    private async Task<string> DatabaseAsync(string store) => store.Split(',')[0] switch
    {
        "redis" => redis.Configuration,
        "postgresql" => await postgres.NewDatabaseAsync(),
        "mysql" => await mariaDb.NewDatabaseAsync(),
        "mongodb" => mongo.ConnectionString,
        _ => _directory.ConnectionString,
    };

    private Task<StoreApp> StartAsync(string store, string database)
    {
        var isTold = store.Contains("told", StringComparison.Ordinal);
        return StoreApp.StartAsync(
            builder =>
            {
                _ = store.Split(',')[0] switch
                {
                    "redis" => builder.UseRedis(database, o => (o.KeyPrefix, o.Notifications) = (_name + ":", isTold)),
                    "postgresql" => builder.UsePostgreSql(database, o => o.Notifications = isTold),
                    "mysql" => builder.UseMySql(database),
                    "mongodb" => builder.UseMongoDb(database, o => (o.DatabaseName, o.CollectionName, o.Notifications) = (mongo.DatabaseName, _name, isTold)),
                    _ => builder.UseSqlite(database),
                };
                if (store.Contains("near cache", StringComparison.Ordinal))
                {
                    builder.WithNearCache(TimeSpan.FromMinutes(5));
                }
            },
            o => o.EndedCheckInterval = isTold ? Never : TimeSpan.FromMilliseconds(100));
    }

    private static async Task<Session> SignInAsync(StoreApp app, string subject)
    {
        var session = app.Sessions.Create();
        await session.SignInAsync(subject, cancellationToken: Token);
        return session;
    }

    private static async Task NoticedAsync(CancellationToken ended)
    {
        for (var attempt = 0; !ended.IsCancellationRequested; attempt++)
        {
            Assert.True(attempt < 600, "The end was not noticed.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
    }
}
