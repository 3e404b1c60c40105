using MongoDB.Bson;
using MongoDB.Driver;

namespace Sojourn.MongoDb;

/// <summary>
/// Leases: <c>_id</c> the key, <c>owner</c>, <c>until</c>. One update decides in the server, by the server's clock, and says who holds the lease afterwards.
/// </summary>
internal sealed class Leases(IMongoCollection<BsonDocument> leases)
{
    private const int DuplicateKey = 11000;

    private static readonly FindOneAndUpdateOptions<BsonDocument> UpsertAndTell = new() { IsUpsert = true, ReturnDocument = ReturnDocument.After };

    public async ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        // A lease that nobody ever took has no `until`, and nothing is less than a date.
        var me = new BsonDocument("$literal", owner);
        var isTaken = new BsonDocument("$and", new BsonArray
        {
            new BsonDocument("$ne", new BsonArray { "$owner", me }),
            new BsonDocument("$gt", new BsonArray { "$until", "$$NOW" }),
        });
        var until = new BsonDocument("$add", new BsonArray { "$$NOW", (long)Math.Ceiling(duration.TotalMilliseconds) });
        var take = new BsonDocument("$set", new BsonDocument
        {
            { "owner", new BsonDocument("$cond", new BsonArray { isTaken, "$owner", me }) },
            { "until", new BsonDocument("$cond", new BsonArray { isTaken, "$until", until }) },
        });
        try
        {
            var lease = await leases.FindOneAndUpdateAsync<BsonDocument>(
                new BsonDocument("_id", key), Builders<BsonDocument>.Update.Pipeline(new[] { take }), UpsertAndTell, cancellationToken).ConfigureAwait(false);
            return lease["owner"] == owner;
        }
        catch (MongoCommandException e) when (e.Code == DuplicateKey)
        {
            // Another owner made the lease at the same moment.
            return false;
        }
    }

    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken) =>
        await leases.DeleteOneAsync(new BsonDocument { { "_id", key }, { "owner", owner } }, cancellationToken).ConfigureAwait(false);
}
