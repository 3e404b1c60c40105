using MongoDB.Bson;
using MongoDB.Driver;

namespace Sojourn.MongoDb;

/// <summary>
/// The way to the database: the application's own client, or one that is disposed of with the store. Neither waits for a server when it is made.
/// </summary>
internal sealed class MongoConnection : IDisposable
{
    private readonly IMongoClient _client;
    private readonly bool _isOurs;
    private readonly string? _databaseInUrl;
    private readonly WriteConcern _writeConcern;

    /// <exception cref="ArgumentException">The client does not have writes acknowledged.</exception>
    public MongoConnection(IMongoClient client)
    {
        ArgumentNullException.ThrowIfNull(client);
        _client = client;
        _writeConcern = WriteConcernOf(client.Settings.WriteConcern);
    }

    /// <exception cref="ArgumentException">The connection string is malformed, or does not have writes acknowledged.</exception>
    public MongoConnection(string connectionString)
    {
        var url = Parse(connectionString);
        (_client, _isOurs, _databaseInUrl) = (new MongoClient(url), true, url.DatabaseName);
        _writeConcern = WriteConcernOf(_client.Settings.WriteConcern);
    }

    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    public static MongoUrl Parse(string connectionString)
    {
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        try
        {
            return new MongoUrl(connectionString);
        }
        catch (MongoConfigurationException e)
        {
            throw new ArgumentException("The connection string of MongoDB is malformed: " + e.Message, nameof(connectionString), e);
        }
    }

    public IMongoDatabase Database(string? name, string byDefault) => _client.GetDatabase(name ?? _databaseInUrl ?? byDefault);

    /// <summary>
    /// Reads are the primary's newest, so that two instances see each other's writes at once, and a writer that met a conflict sees what it met: with
    /// read concern majority it might be shown the state before it, over and over.
    /// </summary>
    public IMongoCollection<BsonDocument> Collection(IMongoDatabase database, string name) =>
        database.GetCollection<BsonDocument>(name)
            .WithReadPreference(ReadPreference.Primary).WithReadConcern(ReadConcern.Local).WithWriteConcern(_writeConcern);

    public void Dispose()
    {
        if (_isOurs)
        {
            _client.Dispose();
        }
    }

    /// <summary>What the application chose; else a majority, without which an acknowledged write may be rolled back, and not waited for without end.</summary>
    private static WriteConcern WriteConcernOf(WriteConcern writeConcern)
    {
        if (!writeConcern.IsAcknowledged)
        {
            throw new ArgumentException("Sessions need acknowledged writes: take w=0 out of the settings of MongoDB.", nameof(writeConcern));
        }

        return writeConcern.IsServerDefault ? WriteConcern.WMajority.With(wTimeout: TimeSpan.FromSeconds(10)) : writeConcern;
    }
}
