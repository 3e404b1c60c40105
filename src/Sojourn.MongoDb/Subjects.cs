using MongoDB.Bson;
using MongoDB.Driver;

namespace Sojourn.MongoDb;

/// <summary>
/// The entries of subjects: <c>_id</c> the subject, <c>entry</c> its bytes, <c>dropAt</c>. Byte arrays compare as a whole, so the entry is its own version.
/// </summary>
internal sealed class Subjects(IMongoCollection<BsonDocument> entries)
{
    public async ValueTask<byte[]?> ReadAsync(string subject, CancellationToken cancellationToken)
    {
        var found = await entries.Find(new BsonDocument("_id", subject)).FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        return found?["entry"].AsByteArray;
    }

    public async ValueTask<bool> ReplaceAsync(string subject, byte[]? current, byte[] next, DateTimeOffset dropAt, CancellationToken cancellationToken)
    {
        var entry = new BsonDocument { { "_id", subject }, { "entry", next }, { MongoDbSchema.DropAt, RecordFormat.Date(dropAt) } };
        if (current is not { } read)
        {
            return await entries.TryInsertAsync(entry, cancellationToken).ConfigureAwait(false);
        }

        var unchanged = new BsonDocument { { "_id", subject }, { "entry", read } };
        return (await entries.ReplaceOneAsync(unchanged, entry, (ReplaceOptions?)null, cancellationToken).ConfigureAwait(false)).MatchedCount == 1;
    }
}

internal static class CollectionExtensions
{
    /// <returns><see langword="false"/> when the <c>_id</c> is taken.</returns>
    public static async ValueTask<bool> TryInsertAsync(
        this IMongoCollection<BsonDocument> collection, BsonDocument document, CancellationToken cancellationToken)
    {
        try
        {
            await collection.InsertOneAsync(document, null, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (MongoWriteException e) when (e.WriteError?.Category == ServerErrorCategory.DuplicateKey)
        {
            return false;
        }
    }
}
