using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.Storage;

namespace Sojourn.MongoDb;

/// <summary>
/// Tells of records that were replaced or deleted, by MongoDB's change stream of their collection. After a lost connection or an election the driver goes on
/// where it was, and nothing is missed; where that cannot be, a new stream is opened, and all is said to be missed.
/// </summary>
internal sealed class ChangeStream : IAsyncDisposable
{
    private static readonly TimeSpan PauseBeforeRetry = TimeSpan.FromMilliseconds(500);

    /// <summary>What is not asked for is not sent: no touches, and of a session's content its version alone.</summary>
    private static readonly PipelineDefinition<ChangeStreamDocument<BsonDocument>, BsonDocument> Changes = new[]
    {
        new BsonDocument("$match", new BsonDocument("operationType", new BsonDocument("$in", new BsonArray { "replace", "delete" }))),
        new BsonDocument("$project", new BsonDocument { { "operationType", 1 }, { "documentKey", 1 }, { "fullDocument.version", 1 } }),
    };

    private readonly IMongoCollection<BsonDocument> _records;
    private readonly Action<SessionNotification> _handler;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _listening;

    private ChangeStream(
        IMongoCollection<BsonDocument> records, IChangeStreamCursor<BsonDocument> cursor, Action<SessionNotification> handler, TimeProvider time)
    {
        (_records, _handler, _time) = (records, handler, time);
        _listening = ListenAsync(cursor);
    }

    /// <exception cref="MongoException">
    /// It cannot be opened: a server that is no member of a replica set has none, and the user may need the right to it.
    /// </exception>
    public static async Task<ChangeStream> OpenAsync(
        IMongoCollection<BsonDocument> records, Action<SessionNotification> handler, TimeProvider time, CancellationToken cancellationToken) =>
        new(records, await WatchAsync(records, cancellationToken).ConfigureAwait(false), handler, time);

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>MongoDB tells of what a majority has, and refuses any other read concern.</summary>
    private static Task<IChangeStreamCursor<BsonDocument>> WatchAsync(IMongoCollection<BsonDocument> records, CancellationToken cancellationToken) =>
        records.WithReadConcern(ReadConcern.Majority).WatchAsync(Changes, cancellationToken: cancellationToken);

    private async Task ListenAsync(IChangeStreamCursor<BsonDocument> first)
    {
        try
        {
            for (var cursor = first; ; cursor = await ReopenAsync().ConfigureAwait(false))
            {
                using (cursor)
                {
                    await TellAsync(cursor).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (_stop.IsCancellationRequested || e is ObjectDisposedException)
        {
            // The subscription was disposed of, or the store with its client.
        }
    }

    private async Task TellAsync(IChangeStreamCursor<BsonDocument> cursor)
    {
        try
        {
            while (await cursor.MoveNextAsync(_stop.Token).ConfigureAwait(false))
            {
                foreach (var change in cursor.Current)
                {
                    Tell(change);
                }
            }
        }
        catch (Exception e) when (IsPassing(e))
        {
            // Such as a server that no longer knows what came after the last change that it told.
        }
    }

    private async Task<IChangeStreamCursor<BsonDocument>> ReopenAsync()
    {
        while (true)
        {
            await Task.Delay(PauseBeforeRetry, _time, _stop.Token).ConfigureAwait(false);
            try
            {
                var cursor = await WatchAsync(_records, _stop.Token).ConfigureAwait(false);
                _handler(new SessionNotification(SessionNotificationKind.Missed, null));
                return cursor;
            }
            catch (Exception e) when (IsPassing(e))
            {
                // Tried again.
            }
        }
    }

    private void Tell(BsonDocument change)
    {
        // Documents of other kinds have no business in this collection, and are no news.
        if (change["documentKey"]["_id"] is not BsonString key)
        {
            return;
        }

        if (change["operationType"] == "delete")
        {
            _handler(new SessionNotification(SessionNotificationKind.Ended, key.Value));
        }
        else if (change["fullDocument"].AsBsonDocument.TryGetValue("version", out var version) && version.IsInt64)
        {
            _handler(new SessionNotification(SessionNotificationKind.Changed, key.Value) { Version = new SessionVersion(version.AsInt64) });
        }
    }

    private static bool IsPassing(Exception e) => e is MongoException or TimeoutException;
}
