using System.Security.Cryptography;
using System.Text;
using MongoDB.Bson;
using Sojourn.Storage;

namespace Sojourn.MongoDb.ConnectMongo;

/// <summary>
/// What stands in <c>session</c>: JSON text, a BSON object, a ciphertext, or what the application makes of it; and as the version of a record, that very value
/// in BSON.
/// </summary>
internal sealed class SessionContent(ConnectMongoSessionStoreOptions options, ISessionCipher? cipher)
{
    private const string Name = "session";

    private static byte[] Unreadable => "unreadable"u8.ToArray();

    /// <summary>Whether a document is always stored as the same content.</summary>
    public bool IsPlainText { get; } = options.Stringify && options.Serialize is null && cipher is null;

    /// <exception cref="ArgumentException">It is larger than MongoDB keeps.</exception>
    /// <exception cref="FormatException">It cannot be kept as a BSON object.</exception>
    public BsonValue Write(SessionRecord record, SessionRecord? current = null)
    {
        BsonValue content = cipher is not null ? cipher.Encrypt(record.Document.Span)
            : options.Serialize is { } serialize ? serialize(record.Document)
            : options.Stringify ? Encoding.UTF8.GetString(record.Document.Span)
            : current is not null && ValueOf(current.Version) is BsonDocument before ? BsonJson.FromJson(record.Document, before)
            : BsonJson.FromJson(record.Document);
        RecordFormat.EnsureFits(record, content is BsonString text ? Encoding.UTF8.GetByteCount(text.Value) : new BsonDocument(Name, content).ToBson().Length);
        return content;
    }

    /// <summary>
    /// What connect-mongo did not write, or not encrypted with this secret, reads as no JSON, and never as what it is: the engine takes such a record for
    /// unreadable, and keeps it.
    /// </summary>
    public byte[] Read(BsonValue content)
    {
        try
        {
            return content switch
            {
                _ when options.Unserialize is { } unserialize => unserialize(content),
                BsonString text when cipher is not null => cipher.Decrypt(text.Value),
                BsonString text => Encoding.UTF8.GetBytes(text.Value),
                BsonDocument when cipher is not null => Unreadable,
                BsonDocument session => BsonJson.ToJson(session),
                _ => Unreadable,
            };
        }
        catch (CryptographicException)
        {
            return Unreadable;
        }
    }

    public static SessionVersion VersionOf(BsonValue content) => new(new BsonDocument(Name, content).ToBson());

    public static BsonValue ValueOf(SessionVersion version) =>
        version.Content.IsEmpty ? BsonNull.Value : MongoDB.Bson.Serialization.BsonSerializer.Deserialize<BsonDocument>(version.Content.ToArray())[Name];
}
