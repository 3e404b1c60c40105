using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Npgsql;
using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests;

/// <summary>
/// Databases whose disk is full, under an application that is not restarted: each on a small disk of its own that is filled to the last byte.
/// </summary>
public sealed class FullDiskTests
{
    private const string DiskFull = "53100";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PostgreSql_refuses_what_finds_no_room_and_goes_on_by_itself(bool isNative)
    {
        await using var disk = await SmallDisk.MountAsync(128);
        await using var server = new PostgresServer(disk);
        await server.InitializeAsync();
        await AssertRefusesWritesAsync(disk, builder => _ = isNative ? builder.UsePostgreSql(server.Owner) : builder.UseConnectPgSimple(server.Owner),
            static e => Assert.Equal(DiskFull, Assert.IsType<PostgresException>(e).SqlState));
    }

    /// <summary>PostgreSQL stops rather than lose what it acknowledged, and does not start before there is room again.</summary>
    [Fact]
    public async Task PostgreSql_without_room_for_its_log_loses_nothing_that_was_acknowledged()
    {
        await using var disk = await SmallDisk.MountAsync(16);
        await using var server = new PostgresServer(null, disk);
        await server.InitializeAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(server.Owner));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        disk.Fill();
        var acknowledged = 0;
        while (await app.SetTextAsync(10_000 + acknowledged) == HttpStatusCode.OK) acknowledged++;
        Assert.NotEqual(HttpStatusCode.OK, await app.CountAsync());
        disk.Free();
        await server.RestartedAsync();
        await app.RecoveredAsync();
        Assert.InRange(await app.ReadAsync(), 2, 3);
        Assert.InRange(await app.ReadTextLengthAsync(), 10_000 + acknowledged - 1, 10_000 + acknowledged);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MariaDb_refuses_what_finds_no_room_and_goes_on_by_itself(bool isNative)
    {
        await using var disk = await SmallDisk.MountAsync(160);
        await using var server = new MariaDbServer(disk);
        await server.InitializeAsync();
        await AssertRefusesWritesAsync(disk, builder => _ = isNative ? builder.UseMySql(server.App) : builder.UseExpressMySqlSession(server.App),
            static e => Assert.Equal(MySqlErrorCode.RecordFileFull, Assert.IsType<MySqlException>(e).ErrorCode), length: 7_000);
    }

    /// <summary>
    /// MariaDB 10.11 ends itself when it finds no room to undo a new session that is larger than half a page (16 KB); one that is there already it refuses to
    /// change.
    /// </summary>
    [Fact]
    public async Task MariaDb_that_stops_over_a_full_disk_has_lost_nothing_that_was_acknowledged()
    {
        await using var disk = await SmallDisk.MountAsync(160);
        await using var server = new MariaDbServer(disk);
        await server.InitializeAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseMySql(server.App), o => o.StoreTimeout = TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        disk.Fill();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.SetTextAsync(400_000));
        Assert.Equal(1, await app.ReadAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await NewVisitorAsync(app, 400_000));
        disk.Free();
        await server.RestartedAsync();
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
        Assert.Equal(0, await app.ReadTextLengthAsync());
    }

    /// <summary>
    /// Redis notices that it could not write its log after it has answered: with <c>everysec</c> an acknowledgement is worth what is said of it in the
    /// documentation.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Redis_refuses_writes_while_its_log_finds_no_room_and_goes_on_by_itself(bool isNative)
    {
        await using var disk = await SmallDisk.MountAsync(16);
        await using var server = await RedisServer.StartOnAsync(disk);
        await AssertRefusesWritesAsync(disk, builder => _ = isNative ? builder.UseRedis(server.Configuration) : builder.UseConnectRedis(server.Configuration),
            static e => Assert.Contains("No space left on device", Assert.IsType<RedisServerException>(e).Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Sqlite_refuses_what_finds_no_room_and_goes_on_by_itself()
    {
        await using var disk = await SmallDisk.MountAsync(16);
        using var directory = new TempDirectory(disk);
        await AssertRefusesWritesAsync(disk, builder => builder.UseSqlite(directory.ConnectionString),
            static e => Assert.Contains("has no room on its disk", Assert.IsType<SqliteStoreException>(e).Message, StringComparison.Ordinal));
    }

    /// <param name="disk">The disk of the database.</param>
    /// <param name="use">Chooses the store.</param>
    /// <param name="assertError">Looks at what the store throws.</param>
    /// <param name="length">How long a text finds no room.</param>
    private static async Task AssertRefusesWritesAsync(SmallDisk disk, Action<SojournBuilder> use, Action<Exception> assertError, int length = 400_000)
    {
        await using var app = await StoreApp.StartAsync(use);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(HttpStatusCode.OK, await app.SetTextAsync(10));
        disk.Fill();

        // What finds room in files that are there already is stored; then nothing large is.
        for (var visitor = 0; await NewVisitorAsync(app, length) == HttpStatusCode.OK; visitor++) Assert.True(visitor < 1_000, "The disk does not fill up.");
        var error = await Assert.ThrowsAnyAsync<Exception>(async () => await app.Store.CreateAsync("key", RecordOf(length), Token));
        assertError(error);
        var kept = await app.SetTextAsync(length) == HttpStatusCode.OK ? length : 10;
        Assert.Equal(1, await app.ReadAsync());
        Assert.Equal(kept, await app.ReadTextLengthAsync());
        disk.Free();
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
        Assert.Equal(kept, await app.ReadTextLengthAsync());
        Assert.Equal(HttpStatusCode.OK, await app.SetTextAsync(2 * length));
        Assert.Equal(2 * length, await app.ReadTextLengthAsync());

        // What was refused is not there, not even in part.
        Assert.Null(await app.Store.ReadAsync("key", Token));
        Assert.True(await app.Store.CreateAsync("key", RecordOf(length), Token));
    }

    /// <summary>A visitor who comes for the first time; one who was refused has no cookie.</summary>
    private static async Task<HttpStatusCode> NewVisitorAsync(StoreApp app, int length)
    {
        using var visitor = app.NewVisitor();
        using var answer = await visitor.PostAsync(new Uri($"/text/{length}", UriKind.Relative), null, Token);
        Assert.Equal(answer.StatusCode == HttpStatusCode.OK, answer.Headers.Contains("Set-Cookie"));
        Assert.Contains(answer.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable]);
        return answer.StatusCode;
    }

    private static SessionRecord RecordOf(int length) => new(
        Encoding.ASCII.GetBytes($$"""{"cookie":{"originalMaxAge":3600000},"text":"{{RandomNumberGenerator.GetHexString(length)}}"}"""), TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1));
}
