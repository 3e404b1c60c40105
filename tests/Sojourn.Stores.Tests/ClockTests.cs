using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests;

/// <summary>
/// Two running applications on one database whose clocks are a minute apart, in the native layouts: when a session ends is judged by the application. In an npm
/// store's layout it is what the npm store's rule makes of it, which the conformance suite holds to the same minute.
/// </summary>
public sealed class ClockTests(RedisServer redis, PostgresServer postgres, MariaDbServer mariaDb, MongoServer mongo) : IDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly Uri Count = new("/count", UriKind.Relative);
    private readonly TempDirectory _directory = new();
    private readonly Clock _right = new();
    private readonly Clock _ahead = new() { Shift = Minute };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Stores => ["redis", "postgresql", "mysql", "mongodb", "sqlite"];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_session_ends_a_minute_sooner_or_later_and_not_more(string store)
    {
        var use = await UseAsync(store);
        await using var right = await StartAsync(use, _right);
        await using var ahead = await StartAsync(use, _ahead);
        using var elsewhere = ahead.NewVisitor(right.Cookies);
        Assert.Equal(HttpStatusCode.OK, await right.CountAsync());

        // For the one that is ahead a minute less is left: it reads, and moves the end to 20 minutes from then, by its own clock.
        await PassAsync(18, ahead);
        Assert.Equal("1", await elsewhere.GetStringAsync(Count, Token));

        // For the other one a minute more is left.
        await PassAsync(20.5);
        Assert.Equal(1, await right.ReadAsync());
        await PassAsync(18.5, ahead);
        Assert.Equal(1, await right.ReadAsync());
        await PassAsync(20);
        Assert.Equal(0, await right.ReadAsync());
        Assert.Equal("0", await elsewhere.GetStringAsync(Count, Token));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task No_change_is_lost_and_no_session_comes_back(string store)
    {
        var use = await UseAsync(store);
        await using var right = await StartAsync(use, _right);
        await using var ahead = await StartAsync(use, _ahead);
        using var elsewhere = ahead.NewVisitor(right.Cookies);
        await StoreApp.AssertExclusiveAsync(right, ahead);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async number =>
        {
            using var answer = await (number % 2 == 0 ? right.Visitor : elsewhere).PostAsync(Count, null, Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }));
        Assert.Equal(41, await right.ReadAsync());
    }

    /// <summary>Lets time pass for both, and <paramref name="pruning"/> remove what has expired by its clock, where a database does not do so itself.</summary>
    private async Task PassAsync(double minutes, StoreApp? pruning = null)
    {
        foreach (var clock in (Clock[])[_right, _ahead]) clock.Shift += TimeSpan.FromMinutes(minutes);
        if (pruning?.Store.As<IExpiringStore>() is { } expiring) Assert.Equal(0, await expiring.PruneAsync(_ahead.GetUtcNow(), Token));
    }

    private async Task<Action<SojournBuilder>> UseAsync(string store)
    {
        var name = Path.GetRandomFileName();
        switch (store)
        {
            case "redis":
                return builder => builder.UseRedis(redis.Configuration, o => o.KeyPrefix = name + ":");
            case "postgresql":
                var database = await postgres.NewDatabaseAsync();
                return builder => builder.UsePostgreSql(database);
            case "mysql":
                var schema = await mariaDb.NewDatabaseAsync();
                return builder => builder.UseMySql(schema);
            case "mongodb":
                return builder => builder.UseMongoDb(mongo.ConnectionString, o => (o.DatabaseName, o.CollectionName) = (mongo.DatabaseName, name));
            default:
                return builder => builder.UseSqlite(_directory.ConnectionString);
        }
    }

    private static Task<StoreApp> StartAsync(Action<SojournBuilder> use, Clock clock) => StoreApp.StartAsync(builder =>
    {
        builder.Services.AddSingleton<TimeProvider>(clock);
        use(builder);
    });
}
