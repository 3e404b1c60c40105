using System.Runtime.CompilerServices;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.MongoDb.ConnectMongo;
using Sojourn.Storage;

namespace Sojourn.MongoDb;

/// <summary>
/// Keeps sessions as connect-mongo 6 keeps them, so that a running Node application and this one share them: the id as <c>_id</c>, the session as JSON
/// text, BSON object or ciphertext, and when it ends.
/// </summary>
/// <remarks>
/// <para>Thread-safe. A write is conditional on the stored content being what was read. Among Sojourn's writers no change is lost and nothing revived; a Node
/// application writes over whatever is there, as it always did.</para>
/// <para>MongoDB compares the objects of <c>stringify: false</c> member by member in their order; a number that changes its type and not its value is no
/// change to it.</para>
/// <para>The layout has no place for labels: sessions of a user cannot be found in it.</para>
/// </remarks>
public sealed class ConnectMongoSessionStore : ISessionStore, INodeLayout, ISessionIndex, IExpiringStore, ISchemaStore, IDisposable
{
    private const string Id = "_id";
    private const string Content = "session";
    internal const string Expires = "expires";
    private const string UpdatedAt = "updatedAt";
    private const int PruneBatch = 500;

    private static readonly BsonDocument ById = new(Id, 1);

    private readonly MongoConnection _connection;
    private readonly ConnectMongoSessionStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly IMongoCollection<BsonDocument> _records;
    private readonly Indexes _indexes;
    private readonly SessionContent _content;

    /// <summary>What records were stored as, where the same document is not always stored as the same content; for as long as the record is held.</summary>
    private readonly ConditionalWeakTable<SessionRecord, BsonValue> _written = [];

    internal ConnectMongoSessionStore(MongoConnection connection, ConnectMongoSessionStoreOptions options, TimeProvider time)
    {
        if (!options.IsValid)
        {
            throw new ArgumentException(ConnectMongoSessionStoreOptions.Rule, nameof(options));
        }

        (_connection, _options, _time) = (connection, options, time);
        var database = connection.Database(options.DatabaseName, "test");
        _records = connection.Collection(database, options.CollectionName);
        _indexes = new Indexes(database, MongoDbSchema.IndexesOf(options), options.CreateIndexes);
        _content = new SessionContent(options, options.Encryption switch
        {
            ConnectMongoEncryption.WebCrypto => new WebCryptoCipher(options.Secret!),
            ConnectMongoEncryption.Kruptein => new KrupteinCipher(options.Secret!),
            _ => null,
        });
    }

    /// <summary>Makes a store on a client of the application's own.</summary>
    /// <param name="client">The client; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What <c>lastModified</c> is set by; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the client does not have writes acknowledged.</exception>
    public ConnectMongoSessionStore(IMongoClient client, ConnectMongoSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(new MongoConnection(client), options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public TimeSpan TimeToLive => _options.TimeToLive;

    /// <inheritdoc/>
    public bool CanTouch => true;

    /// <inheritdoc/>
    /// <remarks>
    /// Of an encrypted record that is not the one given to the store, nobody knows the content: its version is one that the next write finds changed.
    /// </remarks>
    public SessionVersion VersionOf(SessionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return SessionContent.VersionOf(_written.TryGetValue(record, out var content) ? content : _content.Write(record));
    }

    /// <inheritdoc/>
    public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken) => _indexes.EnsureAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var stored = await _records.Find(new BsonDocument(Id, IdOf(key))).FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        return stored is null ? null : ToRecord(stored);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than MongoDB keeps; nothing was sent.</exception>
    /// <exception cref="FormatException">The document cannot be kept as a BSON object; nothing was sent.</exception>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var content = _content.Write(record);
        var stored = new BsonDocument { { Id, IdOf(key) }, { Content, content } }.AddRange(Dates(record.ExpiresAt));
        if (_options.Timestamps)
        {
            var now = RecordFormat.Date(_time.GetUtcNow());
            stored.Add("createdAt", now).Add(UpdatedAt, now);
        }

        if (!await _records.TryInsertAsync(stored, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        Remember(record, content);
        return true;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than MongoDB keeps; nothing was sent.</exception>
    /// <exception cref="FormatException">The document cannot be kept as a BSON object; nothing was sent.</exception>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        var condition = Unchanged(key, current);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var content = _content.Write(next, current);
        var result = await _records.UpdateOneAsync(
            condition, Setting(new BsonDocument(Content, content).AddRange(Dates(next.ExpiresAt))), null, cancellationToken).ConfigureAwait(false);
        if (result.MatchedCount == 0)
        {
            return await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
        }

        Remember(next, content);
        return WriteResult.Done(next.WithVersion(SessionContent.VersionOf(content)));
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Within <see cref="ConnectMongoSessionStoreOptions.TouchAfter"/> nothing is asked of the database, as in Node: the answer is the record as it was read.
    /// </remarks>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        var condition = Unchanged(key, current);
        var later = expiresAt - current.ExpiresAt;
        if (later >= TimeSpan.Zero && later < _options.TouchAfter)
        {
            return WriteResult.Done(current);
        }

        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var result = await _records.UpdateOneAsync(condition, Setting(Dates(expiresAt)), null, cancellationToken).ConfigureAwait(false);
        return result.MatchedCount == 1
            ? WriteResult.Done(current.WithExpiry(expiresAt))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var condition = current is null ? new BsonDocument(Id, IdOf(key)) : Unchanged(key, current);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var result = await _records.DeleteOneAsync(condition, cancellationToken).ConfigureAwait(false);
        return result.DeletedCount == 1 ? WriteResult.Done()
            : current is null ? WriteResult.Gone
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-mongo has no labels.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">
    /// <see cref="ConnectMongoSessionStoreOptions.TransformId"/> is set: the ids of sessions are not stored.
    /// </exception>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        if (_options.TransformId is not null)
        {
            throw new NotSupportedException(
                "The layout of connect-mongo with a TransformId does not keep sessions' ids, so sessions cannot be paged through in it. They can without a "
                + "TransformId, and with UseMongoDb().");
        }

        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var after = new BsonDocument(Id, new BsonDocument("$gt", afterKey ?? ""));
        var page = await _records.Find(after).Sort(ById).Limit(limit).ToListAsync(cancellationToken).ConfigureAwait(false);
        return [.. page.Select(stored => KeyValuePair.Create(stored[Id].AsString, ToRecord(stored)))];
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _records.CountDocumentsAsync(new BsonDocument(), null, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-mongo has no labels.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    /// <remarks>Only with <see cref="ConnectMongoAutoRemove.Interval"/>; otherwise it does nothing.</remarks>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (_options.AutoRemove != ConnectMongoAutoRemove.Interval)
        {
            return 0;
        }

        var expired = new BsonDocument(Expires, new BsonDocument("$lte", RecordFormat.Date(now)));
        for (var deleted = 0L; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var batch = await _records.Find(expired).Project(ById).Limit(PruneBatch).ToListAsync(cancellationToken).ConfigureAwait(false);
            if (batch.Count == 0)
            {
                return deleted;
            }

            // The condition again: one that was touched meanwhile stays.
            var these = new BsonDocument(Id, new BsonDocument("$in", new BsonArray(batch.Select(stored => stored[Id])))).AddRange(expired);
            deleted += (await _records.DeleteManyAsync(these, cancellationToken).ConfigureAwait(false)).DeletedCount;
        }
    }

    /// <summary>Closes the connections, if the store made them itself.</summary>
    public void Dispose() => _connection.Dispose();

    private static NotSupportedException NoLabels() =>
        new("The layout of connect-mongo has no place for labels, so sessions cannot be found by user in it. UseMongoDb() has one.");

    /// <exception cref="InvalidOperationException">The application's <see cref="ConnectMongoSessionStoreOptions.TransformId"/> gave nothing.</exception>
    private string IdOf(string key) => _options.TransformId is not { } transform ? key
        : transform(key) is { Length: > 0 } id ? id
        : throw new InvalidOperationException(
            $"{nameof(ConnectMongoSessionStoreOptions)}.{nameof(ConnectMongoSessionStoreOptions.TransformId)} gave nothing for a session's id.");

    private BsonDocument Unchanged(string key, SessionRecord current)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        return new() { { Id, IdOf(key) }, { Content, new BsonDocument("$eq", SessionContent.ValueOf(current.Version)) } };
    }

    private BsonDocument Setting(BsonDocument fields)
    {
        var update = new BsonDocument("$set", fields);
        return update.Add("$currentDate", new BsonDocument(UpdatedAt, true), _options.Timestamps);
    }

    private BsonDocument Dates(DateTimeOffset expiresAt)
    {
        var dates = new BsonDocument(Expires, RecordFormat.Date(expiresAt));
        return dates.Add("lastModified", RecordFormat.Date(_time.GetUtcNow()), _options.TouchAfter > TimeSpan.Zero);
    }

    private void Remember(SessionRecord record, BsonValue content)
    {
        if (!_content.IsPlainText)
        {
            _written.AddOrUpdate(record, content);
        }
    }

    private SessionRecord ToRecord(BsonDocument stored)
    {
        var content = stored.GetValue(Content, BsonNull.Value);
        var expiresAt = stored.GetValue(Expires, BsonNull.Value).IsBsonDateTime ? RecordFormat.Time(stored[Expires]) : _time.GetUtcNow() + TimeToLive;
        return new SessionRecord(_content.Read(content), expiresAt, version: SessionContent.VersionOf(content));
    }

    private async ValueTask<WriteResult> ConflictOrGoneAsync(string key, CancellationToken cancellationToken) =>
        await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh) : WriteResult.Gone;
}
