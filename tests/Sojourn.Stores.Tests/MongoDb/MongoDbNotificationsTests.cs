using System.Threading.Channels;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.MongoDb;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>What becomes of a change stream when MongoDB has a bad day.</summary>
public sealed class MongoDbNotificationsTests
{
    private const int ChangeStreamHistoryLost = 286;
    private const int OnlyOnReplicaSets = 40573;
    private readonly Channel<SessionNotification> _news = Channel.CreateUnbounded<SessionNotification>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_lost_connection_loses_no_news()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = Open(server);
        await using var subscription = await SubscribeAsync(store);
        await server.FailAsync("getMore", new BsonDocument("closeConnection", true));

        // The first is answered to the question that was asked before, the second to the one whose answer is lost.
        foreach (var key in new[] { "first", "second", "third" })
        {
            await EndAsync(store, key);
            Assert.Equal(new(SessionNotificationKind.Ended, key), await _news.Reader.ReadAsync(Token));
        }
    }

    [Fact]
    public async Task What_the_server_no_longer_knows_was_missed_and_what_comes_after_is_told()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = Open(server);
        await using var subscription = await SubscribeAsync(store);
        await server.FailAsync("getMore", new BsonDocument("errorCode", ChangeStreamHistoryLost));
        await MissedAndGoesOnAsync(store);
    }

    [Fact]
    public async Task A_collection_that_was_dropped_is_all_missed_and_listened_to_again()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = Open(server);
        await using var subscription = await SubscribeAsync(store);
        await EndAsync(store, "key");
        Assert.Equal(SessionNotificationKind.Ended, (await _news.Reader.ReadAsync(Token)).Kind);
        await server.Client.GetDatabase("sojourn").DropCollectionAsync("sojourn_sessions", Token);
        await MissedAndGoesOnAsync(store);
    }

    [Fact]
    public async Task A_server_that_was_killed_is_listened_to_again()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = Open(server);
        await using var subscription = await SubscribeAsync(store);
        await server.KillAsync();
        await server.StartAsync();
        await EndAsync(store, "later");
        SessionNotification heard;
        do heard = await _news.Reader.ReadAsync(Token);
        while (heard.Kind == SessionNotificationKind.Missed);
        Assert.Equal(new(SessionNotificationKind.Ended, "later"), heard);
    }

    [Fact]
    public async Task A_server_that_has_no_change_streams_says_so_to_who_subscribes()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = Open(server);
        await server.FailAsync("aggregate", new BsonDocument("errorCode", OnlyOnReplicaSets));
        Assert.Equal(OnlyOnReplicaSets, (await Assert.ThrowsAsync<MongoCommandException>(() => SubscribeAsync(store))).Code);
        await using var subscription = await SubscribeAsync(store);
        await EndAsync(store, "key");
        Assert.Equal(new(SessionNotificationKind.Ended, "key"), await _news.Reader.ReadAsync(Token));
    }

    [Fact]
    public async Task A_subscription_outlives_its_store_in_peace()
    {
        await using var server = await MongoServer.StartOwnAsync();
        using var store = new MongoDbSessionStore(new MongoConnection(server.ConnectionString), new() { Notifications = true }, TimeProvider.System);
        await using var subscription = await SubscribeAsync(store);
        store.Dispose();
    }

    [Fact]
    public async Task A_store_that_was_not_told_to_notify_says_so()
    {
        using var store = new MongoDbSessionStore(new MongoClient());
        Assert.Null(((ISessionStore)store).As<ISessionNotifications>());
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => SubscribeAsync(store));
        Assert.Contains("MongoDbSessionStoreOptions.Notifications", refused.Message, StringComparison.Ordinal);
    }

    private static MongoDbSessionStore Open(MongoServer server) => new(server.Client, new() { Notifications = true });

    private async Task<IAsyncDisposable> SubscribeAsync(MongoDbSessionStore store) =>
        await store.SubscribeAsync(notification => _news.Writer.TryWrite(notification), Token);

    private static async Task EndAsync(MongoDbSessionStore store, string key)
    {
        Assert.True(await store.CreateAsync(key, new SessionRecord("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddHours(1)), Token));
        Assert.Equal(WriteOutcome.Done, (await store.DeleteAsync(key, null, Token)).Outcome);
    }

    private async Task MissedAndGoesOnAsync(MongoDbSessionStore store)
    {
        Assert.Equal(SessionNotificationKind.Missed, (await _news.Reader.ReadAsync(Token)).Kind);
        await EndAsync(store, "later");
        Assert.Equal(new(SessionNotificationKind.Ended, "later"), await _news.Reader.ReadAsync(Token));
    }
}
