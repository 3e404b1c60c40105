using MongoDB.Bson;

namespace Sojourn.MongoDb;

/// <summary>connect-mongo's options by their meanings and defaults. Read once, when the store is made.</summary>
public sealed class ConnectMongoSessionStoreOptions
{
    /// <summary>
    /// Where MongoDB is, as the Node application's <c>mongoUrl</c>. Given by <c>UseConnectMongo</c> or its section; not read with a client of the application's
    /// own.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>
    /// connect-mongo's <c>dbName</c>; <see langword="null"/>, the default: that of the connection string, or <c>test</c> where it names none, as in Node.
    /// </summary>
    public string? DatabaseName { get; set; }

    /// <summary>connect-mongo's <c>collectionName</c>: <c>sessions</c> by default; not empty.</summary>
    public string CollectionName { get; set; } = "sessions";

    /// <summary>
    /// How long a session lives without use whose cookie has no lifetime: connect-mongo's <c>ttl</c>. 14 days by default; 1 second to 400 days.
    /// </summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(14);

    /// <summary>
    /// Whether a session is kept as its JSON text, or, with <see langword="false"/>, as a BSON object: connect-mongo's <c>stringify</c>. True by default.
    /// Both are read. An encrypted session is text either way.
    /// </summary>
    public bool Stringify { get; set; } = true;

    /// <summary>
    /// For how long after it was last moved an expiry is left alone by requests that change nothing: connect-mongo's <c>touchAfter</c>. 0, the default: it is
    /// moved each time. Less than <see cref="TimeToLive"/>. Set as the Node application sets it, so that <c>lastModified</c> is kept for it.
    /// </summary>
    public TimeSpan TouchAfter { get; set; }

    /// <summary>Who removes expired sessions: connect-mongo's <c>autoRemove</c>. <see cref="ConnectMongoAutoRemove.Native"/> by default.</summary>
    public ConnectMongoAutoRemove AutoRemove { get; set; }

    /// <summary>
    /// Whether the store makes the index of <see cref="ConnectMongoAutoRemove.Native"/> where it is missing; true by default. Otherwise it checks it, and the
    /// application does not start without it.
    /// </summary>
    public bool CreateIndexes { get; set; } = true;

    /// <summary>
    /// Whether records tell when they were made and last written or touched, in <c>createdAt</c> and <c>updatedAt</c>: connect-mongo's <c>timestamps</c>. False
    /// by default. MongoDB sets <c>updatedAt</c> by its own clock, but for the first.
    /// </summary>
    public bool Timestamps { get; set; }

    /// <summary>
    /// What is kept in <c>_id</c> instead of the session's id: connect-mongo's <c>transformId</c>, such as a hash. Called concurrently, for each store call;
    /// must give the same for the same id, as the Node application's does, and never the same for two. <see langword="null"/>, the default: the id itself. It
    /// cannot be undone, so that with it sessions can be counted and not paged through. Set in code alone.
    /// </summary>
    public Func<string, string>? TransformId { get; set; }

    /// <summary>
    /// Makes of a session's JSON what is kept in <c>session</c>, as the Node application's <c>serialize</c> does; set with <see cref="Unserialize"/>, instead
    /// of <see cref="Stringify"/>, and without <see cref="Encryption"/>. Called concurrently. <see langword="null"/> by default. Set in code alone.
    /// </summary>
    public Func<ReadOnlyMemory<byte>, BsonValue>? Serialize { get; set; }

    /// <summary>
    /// Makes a session's JSON, in UTF-8, of what is kept in <c>session</c>, as the Node application's <c>unserialize</c> does; set with
    /// <see cref="Serialize"/>. What it cannot make anything of it gives back as no JSON, such as nothing at all: the session reads as none, and is kept.
    /// Called concurrently. <see langword="null"/> by default. Set in code alone.
    /// </summary>
    public Func<BsonValue, byte[]>? Unserialize { get; set; }

    /// <summary>How sessions are encrypted; not at all by default. <see cref="Secret"/> is needed with it.</summary>
    public ConnectMongoEncryption Encryption { get; set; }

    /// <summary>
    /// The secret that the Node application gave to <c>createWebCryptoAdapter</c> or <c>crypto</c>; not that of the cookies. Set with <see cref="Encryption"/>
    /// alone.
    /// </summary>
    public string? Secret { get; set; }

    internal bool IsValid =>
        !string.IsNullOrEmpty(CollectionName) && DatabaseName is null or { Length: >= 1 }
        && TimeToLive >= TimeSpan.FromSeconds(1) && TimeToLive <= TimeSpan.FromDays(400) && TouchAfter >= TimeSpan.Zero && TouchAfter < TimeToLive
        && Enum.IsDefined(AutoRemove) && Enum.IsDefined(Encryption) && (Encryption == ConnectMongoEncryption.None) == string.IsNullOrEmpty(Secret)
        && (Serialize is null) == (Unserialize is null) && (Serialize is null || Encryption == ConnectMongoEncryption.None);

    internal const string Rule = $"{nameof(ConnectMongoSessionStoreOptions)}: {nameof(CollectionName)} must not be empty, {nameof(TimeToLive)} be 1 second to "
        + $"400 days, {nameof(TouchAfter)} less than that, {nameof(Encryption)} and {nameof(Secret)} be set together or not at all, and {nameof(Serialize)} "
        + $"and {nameof(Unserialize)} as well, but not with {nameof(Encryption)}: connect-mongo parses what it decrypts before unserialize sees it.";
}

/// <summary>Who removes expired sessions in the layout of connect-mongo.</summary>
public enum ConnectMongoAutoRemove
{
    /// <summary>MongoDB, by an index on <c>expires</c>.</summary>
    Native,

    /// <summary>The application, every <see cref="SojournOptions.PruneInterval"/>.</summary>
    Interval,

    /// <summary>Nobody.</summary>
    Disabled,
}

/// <summary>The encryptions of connect-mongo.</summary>
public enum ConnectMongoEncryption
{
    /// <summary>None.</summary>
    None,

    /// <summary><c>cryptoAdapter: createWebCryptoAdapter({ secret })</c> with its defaults: AES-256-GCM.</summary>
    WebCrypto,

    /// <summary>
    /// The older <c>crypto: { secret }</c> with its defaults, by way of kruptein. It derives a key at each reading and writing, which takes milliseconds.
    /// </summary>
    Kruptein,
}
