using System.Security.Cryptography;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.Storage;

namespace Sojourn.MongoDb;

/// <summary>Keeps sessions in MongoDB 5.0 or later, standalone, as a replica set or sharded: one document a session, which MongoDB drops by itself.</summary>
/// <remarks>
/// <para>Thread-safe. Each verb is one command on one document; a find tells a conflict from a record that is gone. Writes are acknowledged by a majority
/// unless the client says otherwise, reads are the primary's.</para>
/// <para>What the driver throws is thrown; a call whose answer was lost may have taken effect. The driver's own retry of a write is known to the server
/// by its number and never done twice.</para>
/// </remarks>
public sealed class MongoDbSessionStore : ISessionStore, ISessionIndex, ISubjectRegistry, ISessionLease, ISessionNotifications, ISchemaStore, IDisposable
{
    private static readonly BsonDocument ByKey = new("_id", 1);

    private readonly MongoConnection _connection;
    private readonly TimeProvider _time;
    private readonly bool _notifies;
    private readonly IMongoCollection<BsonDocument> _records;
    private readonly Subjects _subjects;
    private readonly Leases _leases;
    private readonly Indexes _indexes;

    internal MongoDbSessionStore(MongoConnection connection, MongoDbSessionStoreOptions options, TimeProvider time)
    {
        if (!options.IsValid)
        {
            throw new ArgumentException(MongoDbSessionStoreOptions.Rule, nameof(options));
        }

        (_connection, _time, _notifies) = (connection, time, options.Notifications);
        var database = connection.Database(options.DatabaseName, "sojourn");
        _records = connection.Collection(database, options.CollectionName);
        _subjects = new Subjects(connection.Collection(database, MongoDbSchema.Subjects(options)));
        _leases = new Leases(connection.Collection(database, MongoDbSchema.Leases(options)));
        _indexes = new Indexes(database, MongoDbSchema.IndexesOf(options), options.CreateIndexes);
    }

    /// <summary>Makes a store on a client of the application's own.</summary>
    /// <param name="client">The client; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What tells when MongoDB may drop a record that is written late; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the client does not have writes acknowledged.</exception>
    public MongoDbSessionStore(IMongoClient client, MongoDbSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(new MongoConnection(client), options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public T? As<T>()
        where T : class => typeof(T) == typeof(ISessionNotifications) && !_notifies ? null : this as T;

    /// <inheritdoc/>
    public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken) => _indexes.EnsureAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var stored = await _records.Find(new BsonDocument("_id", key)).FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        return stored is null ? null : RecordFormat.Read(stored);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than MongoDB keeps; nothing was sent.</exception>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _records.TryInsertAsync(
            RecordFormat.Write(key, record, SessionVersion.NewRandom(), DropAt(record.ExpiresAt)), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The document is larger than MongoDB keeps; nothing was sent, and the stored one is unchanged.</exception>
    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var version = SessionVersion.NewRandom();
        var stored = RecordFormat.Write(key, next, version, DropAt(next.ExpiresAt));
        var result = await _records.ReplaceOneAsync(Unchanged(key, current), stored, (ReplaceOptions?)null, cancellationToken).ConfigureAwait(false);
        return result.MatchedCount == 1
            ? WriteResult.Done(next.WithVersion(version))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var dates = new BsonDocument { { "expires", RecordFormat.Date(expiresAt) }, { MongoDbSchema.DropAt, RecordFormat.Date(DropAt(expiresAt)) } };
        var result = await _records.UpdateOneAsync(Unchanged(key, current), new BsonDocument("$set", dates), null, cancellationToken).ConfigureAwait(false);
        return result.MatchedCount == 1
            ? WriteResult.Done(current.WithExpiry(expiresAt))
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var condition = current is null ? new BsonDocument("_id", key) : Unchanged(key, current);
        var result = await _records.DeleteOneAsync(condition, cancellationToken).ConfigureAwait(false);
        return result.DeletedCount == 1 ? WriteResult.Done()
            : current is null ? WriteResult.Gone
            : await ConflictOrGoneAsync(key, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return [.. (await _records.Find(new BsonDocument("labels", label)).ToListAsync(cancellationToken).ConfigureAwait(false)).Select(Pair)];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        var after = new BsonDocument("_id", new BsonDocument("$gt", afterKey ?? ""));
        return [.. (await _records.Find(after).Sort(ByKey).Limit(limit).ToListAsync(cancellationToken).ConfigureAwait(false)).Select(Pair)];
    }

    /// <inheritdoc/>
    /// <remarks>MongoDB counts them one by one: the number that it keeps at hand may be wrong after a crash.</remarks>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _records.CountDocumentsAsync(new BsonDocument(), null, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return (await _records.DeleteManyAsync(new BsonDocument("labels", label), cancellationToken).ConfigureAwait(false)).DeletedCount;
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _subjects.ReadAsync(subject, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReplaceSubjectAsync(
        string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _subjects.ReplaceAsync(subject, current, next, DropAt(keepUntil), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentException.ThrowIfNullOrEmpty(owner);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await _leases.TryAcquireAsync(key, owner, duration, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentException.ThrowIfNullOrEmpty(owner);
        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        await _leases.ReleaseAsync(key, owner, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="MongoException">
    /// The change stream cannot be opened: a server that is no member of a replica set has none, and the user may need the right to it.
    /// </exception>
    public async ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (!_notifies)
        {
            throw new InvalidOperationException(
                $"The sessions' store does not notify: set {nameof(MongoDbSessionStoreOptions)}.{nameof(MongoDbSessionStoreOptions.Notifications)}.");
        }

        await _indexes.EnsureAsync(cancellationToken).ConfigureAwait(false);
        return await ChangeStream.OpenAsync(_records, handler, _time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Closes the connections, if the store made them itself.</summary>
    public void Dispose() => _connection.Dispose();

    private static BsonDocument Unchanged(string key, SessionRecord current) => new() { { "_id", key }, { "version", current.Version.Number } };

    private static KeyValuePair<string, SessionRecord> Pair(BsonDocument stored) => new(stored["_id"].AsString, RecordFormat.Read(stored));

    /// <summary>MongoDB only cleans up: a little after the session has ended, and not all at once.</summary>
    private DateTimeOffset DropAt(DateTimeOffset expiresAt)
    {
        var now = _time.GetUtcNow();
        return (expiresAt > now ? expiresAt : now) + TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(60_000, 120_000));
    }

    private async ValueTask<WriteResult> ConflictOrGoneAsync(string key, CancellationToken cancellationToken) =>
        await ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } fresh ? WriteResult.Conflict(fresh) : WriteResult.Gone;
}
