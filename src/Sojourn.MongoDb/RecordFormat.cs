using System.Collections.Immutable;
using MongoDB.Bson;
using Sojourn.Storage;

namespace Sojourn.MongoDb;

/// <summary>
/// A record as one MongoDB document: <c>_id</c> the key, <c>version</c> a 64-bit number, <c>document</c> the session's bytes, <c>expires</c>,
/// <c>dropAt</c> when MongoDB removes it, <c>labels</c> where it has any.
/// </summary>
internal static class RecordFormat
{
    /// <summary>MongoDB's limit of 16 MiB less room for everything but the document.</summary>
    private const int MaxDocumentBytes = (16 * 1024 * 1024) - (64 * 1024);

    public static BsonDocument Write(string key, SessionRecord record, SessionVersion version, DateTimeOffset dropAt)
    {
        EnsureFits(record, record.Document.Length);
        var stored = new BsonDocument
        {
            { "_id", key },
            { "version", version.Number },
            { "document", record.Document.ToArray() },
            { "expires", Date(record.ExpiresAt) },
            { MongoDbSchema.DropAt, Date(dropAt) },
        };
        return stored.Add("labels", new BsonArray(record.Labels), !record.Labels.IsEmpty);
    }

    /// <exception cref="FormatException">The document is not one of ours.</exception>
    public static SessionRecord Read(BsonDocument stored)
    {
        try
        {
            var labels = stored.TryGetValue("labels", out var array) ? array.AsBsonArray.Select(label => label.AsString).ToImmutableArray() : [];
            return new SessionRecord(stored["document"].AsByteArray, Time(stored["expires"]), labels, new SessionVersion(stored["version"].AsInt64));
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidCastException)
        {
            throw new FormatException(
                "The collection of sessions holds a document that is no session of this version. Give sessions a CollectionName of their own, or upgrade "
                + "Sojourn.",
                e);
        }
    }

    public static BsonDateTime Date(DateTimeOffset time) => new(time.ToUnixTimeMilliseconds());

    /// <summary>A date of JavaScript may be later than one of .NET.</summary>
    public static DateTimeOffset Time(BsonValue date) =>
        DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(date.AsBsonDateTime.MillisecondsSinceEpoch, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()));

    /// <exception cref="ArgumentException">It does not.</exception>
    public static void EnsureFits(SessionRecord record, int bytes)
    {
        if (bytes > MaxDocumentBytes)
        {
            throw new ArgumentException(
                $"The session would take {bytes:N0} bytes, more than MongoDB keeps in one document. Lower SojournOptions.MaxDocumentBytes. Nothing was sent.",
                nameof(record));
        }
    }
}
