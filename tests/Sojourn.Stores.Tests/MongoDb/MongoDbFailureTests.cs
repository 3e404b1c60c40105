using System.Net;
using Microsoft.Extensions.DependencyInjection;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>What a visitor is told when MongoDB has a bad day, and that the application finds it again by itself.</summary>
public sealed class MongoDbFailureTests
{
    private const int NotWritablePrimary = 10107;
    private const int OutOfDiskSpace = 14031;
    private const int Unauthorized = 13;
    private const int WriteConcernTimedOut = 64;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<bool> Layouts() => [false, true];

    /// <summary>The stand-in forgets everything when it is killed, as a server that lost its disk: the visitor begins anew, under a new id.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_was_killed_is_found_again(bool isNodeLayout)
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await AppAsync(server, isNodeLayout);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_server_that_hangs_is_an_error_in_time_and_nothing_acknowledged_is_lost(bool isNodeLayout)
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await AppAsync(server, isNodeLayout);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        server.Freeze();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        server.Thaw();
        await app.RecoveredAsync();

        // The one that was refused had failed at its reading.
        Assert.Equal(2, await app.ReadAsync());
    }

    [Fact]
    public async Task When_connections_run_out_visitors_are_told_and_served_again_afterwards()
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseMongoDb(server.ConnectionString + "&maxPoolSize=1&waitQueueTimeoutMS=500"));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        server.Freeze();
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => app.CountAsync())), status => Assert.Equal(HttpStatusCode.ServiceUnavailable, status));
        server.Thaw();
        await app.RecoveredAsync();
    }

    [Theory]
    [InlineData(NotWritablePrimary)]
    [InlineData(OutOfDiskSpace)]
    [InlineData(Unauthorized)]
    public async Task A_server_that_refuses_to_write_is_an_error_and_reads_go_on(int code)
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await AppAsync(server, isNodeLayout: false);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.FailAsync("update", new BsonDocument("errorCode", code));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(1, await app.ReadAsync());
        await app.RecoveredAsync();
        Assert.Equal(2, await app.ReadAsync());
    }

    /// <summary>It may have been done, and so it is not done again, and not said to be done.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_whose_answer_is_lost_or_that_no_majority_has_is_an_error_and_not_repeated(bool isLost)
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await AppAsync(server, isNodeLayout: false);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await server.FailAsync("update", isLost
            ? new BsonDocument("closeConnection", true)
            : new BsonDocument("writeConcernError", new BsonDocument { { "code", WriteConcernTimedOut }, { "errmsg", "waiting for replication timed out" } }));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        Assert.Equal(2, await app.ReadAsync());
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(3, await app.ReadAsync());
    }

    [Fact]
    public async Task A_session_too_large_for_MongoDB_is_an_error_and_the_stored_one_stays()
    {
        await using var server = await MongoServer.StartOwnAsync();
        await using var app = await StoreApp.StartAsync(builder => builder.UseMongoDb(server.ConnectionString), o => o.MaxDocumentBytes = 16 * 1024 * 1024);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.SetTextAsync((16 * 1024 * 1024) - 1024));
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task A_user_who_may_not_make_indexes_is_told_the_script_unless_they_are_there()
    {
        await using var server = await MongoServer.StartOwnAsync();
        await server.FailAsync("createIndexes", new BsonDocument("errorCode", Unauthorized));
        var e = await Assert.ThrowsAsync<SessionSchemaException>(async () =>
        {
            await using var app = await AppAsync(server, isNodeLayout: false);
        });
        Assert.Contains("expireAfterSeconds", e.Script, StringComparison.Ordinal);

        await using (await AppAsync(server, isNodeLayout: false)) await server.FailAsync(
            "createIndexes", new BsonDocument("errorCode", Unauthorized), times: 10);
        await using var started = await AppAsync(server, isNodeLayout: false);
        Assert.Equal(HttpStatusCode.OK, await started.CountAsync());
    }

    /// <summary>The check that could not be made at the start is made by the first call.</summary>
    [Fact]
    public async Task An_application_starts_without_its_server_and_serves_when_that_is_there()
    {
        await using var server = await MongoServer.StartOwnAsync();
        await server.KillAsync();
        await using var app = await StoreApp.StartAsync(
            builder =>
                builder.UseMongoDb(
                    server.ConnectionString.Replace("TimeoutMS=5000", "TimeoutMS=500", StringComparison.Ordinal), o => o.DatabaseName = server.DatabaseName));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        await server.StartAsync();
        await app.RecoveredAsync();
        var indexes = await (await server.Database.GetCollection<BsonDocument>("sojourn_sessions").Indexes.ListAsync(Token)).ToListAsync(Token);
        Assert.Contains(indexes, index => index["name"] == "dropAt_1");
    }

    private static Task<StoreApp> AppAsync(MongoServer server, bool isNodeLayout) => StoreApp.StartAsync(
        builder => _ = isNodeLayout ? builder.UseConnectMongo(server.ConnectionString) : builder.UseMongoDb(server.ConnectionString));
}
