using Sojourn.MongoDb;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>The session as JSON text, and what the other forms have in common with it.</summary>
public class ConnectMongoConformanceTests(MongoServer server) : SessionStoreConformance
{
    private readonly string _collection = "test_" + Path.GetRandomFileName();

    protected override bool VersionsAreContent => true;

    /// <summary>The layout is the session, and when it ends.</summary>
    protected override bool HasLabels => false;

    protected override ValueTask<ISessionStore> CreateAsync() => new(Open(TimeProvider.System));

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(Open(Clock.MinuteAhead));

    private ConnectMongoSessionStore Open(TimeProvider clock)
    {
        // The application prunes: an index would leave nothing of what the suite wants pruned.
        var options = new ConnectMongoSessionStoreOptions
        {
            DatabaseName = server.DatabaseName,
            CollectionName = _collection,
            AutoRemove = ConnectMongoAutoRemove.Interval,
        };
        Configure(options);
        return new(server.Client, options, clock);
    }

    protected virtual void Configure(ConnectMongoSessionStoreOptions options)
    {
    }
}

/// <summary><c>stringify: false</c>.</summary>
public sealed class ConnectMongoObjectConformanceTests(MongoServer server) : ConnectMongoConformanceTests(server)
{
    /// <summary>MongoDB keeps objects parsed.</summary>
    protected override bool KeepsBytes => false;

    protected override void Configure(ConnectMongoSessionStoreOptions options) => options.Stringify = false;
}

/// <summary><c>createWebCryptoAdapter</c>.</summary>
public sealed class ConnectMongoEncryptedConformanceTests(MongoServer server) : ConnectMongoConformanceTests(server)
{
    /// <summary>Each writing has a ciphertext of its own.</summary>
    protected override bool VersionsAreContent => false;

    protected override void Configure(ConnectMongoSessionStoreOptions options) =>
        (options.Encryption, options.Secret) = (ConnectMongoEncryption.WebCrypto, "a secret that only these tests know");
}
