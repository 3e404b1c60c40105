namespace Sojourn.MongoDb;

/// <summary>What the stores need in their database.</summary>
public static class MongoDbSchema
{
    internal const string DropAt = "dropAt";

    /// <summary>
    /// The commands for <c>mongosh</c> that make the indexes of <see cref="MongoDbSessionStore"/>, for someone who may; harmless when repeated.
    /// </summary>
    /// <param name="options">
    /// The store's options. Without a <see cref="MongoDbSessionStoreOptions.DatabaseName"/> the commands work on the shell's database.
    /// </param>
    /// <returns>One command a line.</returns>
    public static string Script(MongoDbSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Indexes.Script(options.DatabaseName, IndexesOf(options));
    }

    /// <summary>The command for <c>mongosh</c> that makes the index of <see cref="ConnectMongoSessionStore"/>; harmless when repeated.</summary>
    /// <param name="options">
    /// The store's options. Without a <see cref="ConnectMongoSessionStoreOptions.DatabaseName"/> the command works on the shell's database.
    /// </param>
    /// <returns>The command; empty where nothing but <see cref="ConnectMongoAutoRemove.Native"/> would need one.</returns>
    public static string Script(ConnectMongoSessionStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Indexes.Script(options.DatabaseName, IndexesOf(options));
    }

    internal static string Subjects(MongoDbSessionStoreOptions options) => options.CollectionName + "_subjects";

    internal static string Leases(MongoDbSessionStoreOptions options) => options.CollectionName + "_leases";

    /// <summary>A record without labels has no such field, and no entry in a sparse index.</summary>
    internal static Index[] IndexesOf(MongoDbSessionStoreOptions options) =>
    [
        new(options.CollectionName, DropAt, ExpireAfterSeconds: 0),
        new(options.CollectionName, "labels", IsSparse: true),
        new(Subjects(options), DropAt, ExpireAfterSeconds: 0),
        new(Leases(options), "until", ExpireAfterSeconds: 60),
    ];

    internal static Index[] IndexesOf(ConnectMongoSessionStoreOptions options) =>
        options.AutoRemove == ConnectMongoAutoRemove.Native ? [new(options.CollectionName, ConnectMongoSessionStore.Expires, ExpireAfterSeconds: 0)] : [];
}
