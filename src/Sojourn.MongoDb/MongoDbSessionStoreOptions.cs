namespace Sojourn.MongoDb;

/// <summary>What can be set about <see cref="MongoDbSessionStore"/>. Read once, when the store is made.</summary>
public sealed class MongoDbSessionStoreOptions
{
    /// <summary>
    /// Where MongoDB is, such as <c>mongodb://localhost:27017/shop</c>. Given by <c>UseMongoDb</c> or its section; not read with a client of the application's
    /// own.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>The database; <see langword="null"/>, the default: that of the connection string, or <c>sojourn</c> where it names none.</summary>
    public string? DatabaseName { get; set; }

    /// <summary>
    /// The collection of the sessions, <c>sojourn_sessions</c> by default; 1 to 100 characters. Subjects and leases have collections of their own,
    /// whose names begin with it.
    /// </summary>
    public string CollectionName { get; set; } = "sojourn_sessions";

    /// <summary>
    /// Whether the store makes the indexes that are missing; true by default. Otherwise it checks them, and the application does not start without them;
    /// <see cref="MongoDbSchema.Script(MongoDbSessionStoreOptions)"/> prints what makes them.
    /// </summary>
    public bool CreateIndexes { get; set; } = true;

    /// <summary>
    /// Whether the store tells who subscribed of what was replaced and deleted (<see cref="Storage.ISessionNotifications"/>), by a change stream of the
    /// collection. False by default: MongoDB has change streams on a replica set or a sharded cluster, and the user needs the right <c>changeStream</c> on the
    /// collection. Writes cost nothing more, and processes that only write need not set it.
    /// </summary>
    public bool Notifications { get; set; }

    internal bool IsValid =>
        CollectionName is { Length: >= 1 and <= 100 } && CollectionName.AsSpan().IndexOfAny('$', '\0') < 0 && DatabaseName is null or { Length: >= 1 };

    internal const string Rule = $"{nameof(MongoDbSessionStoreOptions)}.{nameof(CollectionName)} must have 1 to 100 characters and no '$', and "
        + $"{nameof(DatabaseName)}, if set, must not be empty.";
}
