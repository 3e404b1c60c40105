using Sojourn.MongoDb;
using Sojourn.MySql;
using Sojourn.PostgreSql;
using Sojourn.Races;
using Sojourn.Redis;
using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests;

/// <summary>The race book on every database's native layout, as two processes have it open.</summary>
public sealed class RaceBookTests(RedisServer redis, PostgresServer postgres, MariaDbServer maria, MongoServer mongo, ITestOutputHelper output)
{
    private const int Schedules = 200;

    [Fact]
    public async Task No_schedule_ends_wrongly_on_SQLite()
    {
        using var directory = new TempDirectory();
        await RunAsync(clock => new SqliteSessionStore(directory.ConnectionString, timeProvider: clock));
    }

    [Fact]
    public Task No_schedule_ends_wrongly_on_Redis()
    {
        var prefix = $"races:{Path.GetRandomFileName()}:";
        return RunAsync(clock => new RedisSessionStore(redis.Connection, new() { KeyPrefix = prefix }, clock));
    }

    [Fact]
    public async Task No_schedule_ends_wrongly_on_PostgreSQL()
    {
        await using var source = PostgreSqlDatabase.Open(await postgres.NewDatabaseAsync());
        await RunAsync(_ => new PostgreSqlSessionStore(source, new()));
    }

    [Fact]
    public async Task No_schedule_ends_wrongly_on_MySQL()
    {
        var connectionString = await maria.NewDatabaseAsync();
        await RunAsync(_ => new MySqlSessionStore(schema => new MySqlDatabase(connectionString, schema), new()));
    }

    [Fact]
    public Task No_schedule_ends_wrongly_on_MongoDB()
    {
        var collection = "races_" + Path.GetRandomFileName();
        return RunAsync(clock => new MongoDbSessionStore(mongo.Client, new() { DatabaseName = mongo.DatabaseName, CollectionName = collection }, clock));
    }

    private async Task RunAsync(Func<TimeProvider, ISessionStore> open)
    {
        await using var course = await Course.OpenAsync(open);
        var report = await Task.Run(() => new RaceBook(course).RunAsAskedAsync(Schedules));
        output.WriteLine(report.ToString());
        Assert.True(report.Failed == 0, "Schedules ended wrongly: see the output.");
    }
}
