using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.MongoDb;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>What the conformance suite does not know of MongoDB.</summary>
public sealed class MongoDbSessionStoreTests(MongoServer server)
{
    private readonly string _collection = "test_" + Path.GetRandomFileName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private MongoDbSessionStoreOptions Options => new() { DatabaseName = server.DatabaseName, CollectionName = _collection };

    private MongoDbSessionStore Store => new(server.Client, Options);

    private IMongoCollection<BsonDocument> Records => server.Database.GetCollection<BsonDocument>(_collection);

    [Fact]
    public async Task Each_verb_is_one_command_and_a_second_one_tells_conflict_from_gone()
    {
        var commands = new ConcurrentQueue<BsonDocument>();
        using var client = server.NewClient(commands);
        using var store = new MongoDbSessionStore(client, Options);
        Assert.Equal(["createIndexes", "createIndexes", "createIndexes"], await SentAsync(async () => await store.EnsureSchemaAsync(Token)));
        Assert.Equal(["insert"], await SentAsync(async () => await store.CreateAsync("key", Record("{}", labels: "subject:1"), Token)));
        var stale = (await store.ReadAsync("key", Token))!;
        Assert.Equal(["find"], await SentAsync(async () => await store.ReadAsync("key", Token)));
        Assert.Equal(["update"], await SentAsync(async () => await store.TouchAsync("key", stale, stale.ExpiresAt.AddMinutes(1), Token)));
        var current = stale;
        Assert.Equal(["update"], await SentAsync(async () => current = (await store.ReplaceAsync("key", stale, stale, Token)).Record!));
        Assert.Equal(["update", "find"], await SentAsync(async () => await store.ReplaceAsync("key", stale, stale, Token)));
        Assert.Equal(["update", "find"], await SentAsync(async () => await store.TouchAsync("gone", stale, stale.ExpiresAt, Token)));
        Assert.Equal(["delete", "find"], await SentAsync(async () => await store.DeleteAsync("key", stale, Token)));
        Assert.Equal(["find"], await SentAsync(async () => await store.FindAsync("subject:1", Token)));
        Assert.Equal(["find"], await SentAsync(async () => await store.PageAsync(null, 10, Token)));
        Assert.Equal(["aggregate"], await SentAsync(async () => await store.CountAsync(Token)));
        Assert.Equal(["delete"], await SentAsync(async () => await store.DeleteAsync("key", current, Token)));
        Assert.Equal(["delete"], await SentAsync(async () => await store.DeleteAsync("key", null, Token)));
        Assert.Equal(["delete"], await SentAsync(async () => await store.DeleteByLabelAsync("subject:1", Token)));
        Assert.Equal(["insert"], await SentAsync(async () => await store.ReplaceSubjectAsync("1", null, "a"u8.ToArray(), stale.ExpiresAt, Token)));
        Assert.Equal(["update"], await SentAsync(async () => await store.ReplaceSubjectAsync("1", "a"u8.ToArray(), "b"u8.ToArray(), stale.ExpiresAt, Token)));
        Assert.Equal(["find"], await SentAsync(async () => await store.ReadSubjectAsync("1", Token)));
        Assert.Equal(["findAndModify"], await SentAsync(async () => await store.TryAcquireAsync("key", "me", TimeSpan.FromSeconds(1), Token)));
        Assert.Equal(["delete"], await SentAsync(async () => await store.ReleaseAsync("key", "me", Token)));

        Task<string[]> SentAsync(Func<Task> act) => MongoServer.SentAsync(commands, act);
    }

    [Fact]
    public async Task A_record_is_one_document_with_its_bytes_and_dates()
    {
        var ends = new DateTimeOffset(2030, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
        await Store.CreateAsync("key", Record("""{"a":1}""", ends, "subject:1"), Token);
        var stored = await StoredAsync("key");
        Assert.Equal(["_id", "version", "document", "expires", "dropAt", "labels"], stored.Names);
        Assert.Equal(BsonType.Int64, stored["version"].BsonType);
        Assert.Equal("""{"a":1}"""u8.ToArray(), stored["document"].AsByteArray);
        Assert.Equal(ends.UtcDateTime, stored["expires"].ToUniversalTime());
        Assert.Equal(new BsonArray { "subject:1" }, stored["labels"]);

        var current = (await Store.ReadAsync("key", Token))!;
        await Store.ReplaceAsync("key", current, Record("{}", ends), Token);
        Assert.Equal(["_id", "version", "document", "expires", "dropAt"], (await StoredAsync("key")).Names);
    }

    /// <summary>A minute or more of slack: the clocks of the application and of MongoDB may differ by so much, and no session that lives is dropped.</summary>
    [Fact]
    public async Task MongoDB_drops_a_record_a_minute_or_two_after_its_end_and_one_that_is_written_late_as_long_after_that()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var store = new MongoDbSessionStore(server.Client, Options, time);
        var ends = time.GetUtcNow().AddMinutes(20);
        await store.CreateAsync("key", Record("{}", ends), Token);
        Assert.InRange(await DropAtAsync("key"), ends.AddMinutes(1), ends.AddMinutes(2));
        await store.TouchAsync("key", (await store.ReadAsync("key", Token))!, ends.AddMinutes(10), Token);
        Assert.InRange(await DropAtAsync("key"), ends.AddMinutes(11), ends.AddMinutes(12));
        await store.CreateAsync("late", Record("{}", time.GetUtcNow().AddDays(-1)), Token);
        Assert.InRange(await DropAtAsync("late"), time.GetUtcNow().AddMinutes(1), time.GetUtcNow().AddMinutes(2));
    }

    [Fact]
    public async Task A_lease_runs_by_the_databases_clock_whatever_the_applications_says()
    {
        using var early = new MongoDbSessionStore(server.Client, Options, new FakeTimeProvider(new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        using var late = new MongoDbSessionStore(server.Client, Options, new FakeTimeProvider(new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        Assert.True(await early.TryAcquireAsync("key", "early", TimeSpan.FromMinutes(5), Token));
        Assert.False(await late.TryAcquireAsync("key", "late", TimeSpan.FromMinutes(5), Token));
    }

    /// <summary>In an expression MongoDB takes such text for a field or a variable, unless told otherwise.</summary>
    [Fact]
    public async Task An_owners_name_is_text_whatever_it_looks_like()
    {
        Assert.True(await Store.TryAcquireAsync("key", "$owner", TimeSpan.FromMinutes(5), Token));
        Assert.False(await Store.TryAcquireAsync("key", "$$NOW", TimeSpan.FromMinutes(5), Token));
        await Store.ReleaseAsync("key", "$owner", Token);
        Assert.True(await Store.TryAcquireAsync("key", "$$NOW", TimeSpan.FromMinutes(5), Token));
    }

    [Fact]
    public async Task A_document_that_MongoDB_could_not_keep_is_refused_before_it_is_sent_and_the_stored_one_stays()
    {
        var store = Store;
        await store.CreateAsync("key", Record("""{"a":1}"""), Token);
        var current = (await store.ReadAsync("key", Token))!;
        var huge = Record($$"""{"a":"{{new string('x', 16 * 1024 * 1024)}}"}""");
        Assert.Contains(
            "MaxDocumentBytes", (await Assert.ThrowsAsync<ArgumentException>(async () => await store.ReplaceAsync("key", current, huge, Token))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync("other", huge, Token));
        Assert.Equal(current.Version, (await store.ReadAsync("key", Token))!.Version);

        // One just below the limit is kept.
        var large = Record($$"""{"a":"{{new string('x', (16 * 1024 * 1024) - (65 * 1024))}}"}""");
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", current, large, Token)).Outcome);
    }

    [Fact]
    public async Task A_document_that_is_no_session_is_told_and_left_alone()
    {
        await Records.InsertOneAsync(new BsonDocument { { "_id", "key" }, { "something", "else" } }, null, Token);
        await Assert.ThrowsAsync<FormatException>(async () => await Store.ReadAsync("key", Token));
        Assert.False(await Store.CreateAsync("key", Record("{}"), Token));
        Assert.Equal("else", (await StoredAsync("key"))["something"]);
    }

    [Fact]
    public async Task Indexes_are_made_and_making_them_again_is_harmless()
    {
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Store.EnsureSchemaAsync(Token).AsTask()));
        var records = await IndexesOfAsync(_collection);
        Assert.Equal(["_id_", "dropAt_1", "labels_1"], records.Select(index => index["name"].AsString).Order(StringComparer.Ordinal));
        Assert.Equal(0, records.Single(index => index["name"] == "dropAt_1")["expireAfterSeconds"]);
        Assert.True(records.Single(index => index["name"] == "labels_1")["sparse"].ToBoolean());
        Assert.Contains(await IndexesOfAsync(_collection + "_subjects"), index => index["name"] == "dropAt_1" && index["expireAfterSeconds"] == 0);
        Assert.Contains(await IndexesOfAsync(_collection + "_leases"), index => index["name"] == "until_1" && index["expireAfterSeconds"] == 60);
    }

    [Fact]
    public async Task Where_indexes_may_not_be_made_a_missing_one_is_told_with_the_script_that_makes_it()
    {
        var options = Options;
        options.CreateIndexes = false;
        using var store = new MongoDbSessionStore(server.Client, options);
        var missing = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.EnsureSchemaAsync(Token));
        Assert.Equal(MongoDbSchema.Script(options), missing.Script);
        await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.ReadAsync("key", Token));

        await Store.EnsureSchemaAsync(Token);
        await store.EnsureSchemaAsync(Token);
        Assert.Null(await store.ReadAsync("key", Token));
    }

    [Fact]
    public async Task An_index_with_other_options_in_the_place_of_ours_is_told()
    {
        var other = new CreateIndexModel<BsonDocument>(new BsonDocument("dropAt", 1), new CreateIndexOptions { ExpireAfter = TimeSpan.FromHours(1) });
        await Records.Indexes.CreateOneAsync(other, null, Token);
        Assert.Contains(
            "drop it first", (await Assert.ThrowsAsync<SessionSchemaException>(async () => await Store.EnsureSchemaAsync(Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_script_is_what_someone_types_into_mongosh()
    {
        Assert.Equal(
            [
                """db.getCollection("sojourn_sessions").createIndex({ dropAt: 1 }, { expireAfterSeconds: 0 });""",
                """db.getCollection("sojourn_sessions").createIndex({ labels: 1 }, { sparse: true });""",
                """db.getCollection("sojourn_sessions_subjects").createIndex({ dropAt: 1 }, { expireAfterSeconds: 0 });""",
                """db.getCollection("sojourn_sessions_leases").createIndex({ until: 1 }, { expireAfterSeconds: 60 });""",
            ],
            MongoDbSchema.Script(new MongoDbSessionStoreOptions()).Split(Environment.NewLine));
        Assert.StartsWith("""db.getSiblingDB("shop").getCollection("s")""", MongoDbSchema.Script(new MongoDbSessionStoreOptions { DatabaseName = "shop", CollectionName = "s" }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Writes_wait_for_a_majority_unless_the_client_says_otherwise()
    {
        var commands = new ConcurrentQueue<BsonDocument>();
        using var client = server.NewClient(commands);
        using (var store = new MongoDbSessionStore(client, Options)) await WriteAndReadAsync(store, "a");
        Assert.Equal("majority", Assert.Single(commands, command => command.Contains("insert"))["writeConcern"]["w"]);
        commands.Clear();
        using (var store = new MongoDbSessionStore(client.WithWriteConcern(new WriteConcern(1, journal: true)), Options)) await WriteAndReadAsync(store, "b");
        Assert.Equal(new BsonDocument { { "w", 1 }, { "j", true } }, Assert.Single(commands, command => command.Contains("insert"))["writeConcern"]);
        Assert.Throws<ArgumentException>(() => new MongoDbSessionStore(client.WithWriteConcern(WriteConcern.Unacknowledged), Options));

        static async Task WriteAndReadAsync(MongoDbSessionStore store, string key)
        {
            await store.CreateAsync(key, Record("{}"), Token);
            await store.ReadAsync(key, Token);
        }
    }

    [Fact]
    public void Reads_are_the_primarys_newest_whatever_the_client_prefers()
    {
        using var client = new MongoClient("mongodb://localhost/?readPreference=secondaryPreferred&readConcernLevel=majority");
        using var connection = new MongoConnection(client);
        var settings = connection.Collection(connection.Database("db", "db"), "collection").Settings;
        Assert.Equal((ReadPreference.Primary, ReadConcern.Local), (settings.ReadPreference, settings.ReadConcern));
    }

    [Theory]
    [InlineData("mongodb://localhost/shop", null, "shop")]
    [InlineData("mongodb://localhost/shop", "other", "other")]
    [InlineData("mongodb://localhost", null, "default")]
    public void The_database_is_the_one_of_the_options_or_the_connection_string(string connectionString, string? option, string expected)
    {
        using var connection = new MongoConnection(connectionString);
        Assert.Equal(expected, connection.Database(option, "default").DatabaseNamespace.DatabaseName);
    }

    [Fact]
    public async Task The_store_is_set_from_a_section_of_the_configuration()
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Mongo:ConnectionString"] = server.ConnectionString,
            ["Mongo:DatabaseName"] = server.DatabaseName,
            ["Mongo:CollectionName"] = _collection,
            ["Mongo:CreateIndexes"] = "true",
        }).Build().GetSection("Mongo");
        await using var services = Services(builder => builder.UseMongoDb(section));
        Assert.True(await services.GetRequiredService<ISessionStore>().CreateAsync("key", Record("{}"), Token));
        Assert.Equal("key", (await StoredAsync("key"))["_id"]);

        await using var empty = Services(builder => builder.UseMongoDb(new ConfigurationBuilder().Build()));
        Assert.Contains(
            "ConnectionString is missing", Assert.Throws<OptionsValidationException>(() => empty.GetRequiredService<ISessionStore>()).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_and_connection_strings_that_cannot_be_meant_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new MongoDbSessionStore(server.Client, new() { CollectionName = "" }));
        Assert.Throws<ArgumentException>(() => new MongoDbSessionStore(server.Client, new() { CollectionName = "a$b" }));
        Assert.Throws<ArgumentException>(() => new MongoDbSessionStore(server.Client, new() { DatabaseName = "" }));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddSojournCore().UseMongoDb("localhost:27017"));
        await using var services = Services(builder => builder.UseMongoDb(_ => server.Client, o => o.CollectionName = ""));
        Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ISessionStore>());
    }

    internal static ServiceProvider Services(Action<SojournBuilder> use)
    {
        var builder = new ServiceCollection().AddSojournCore();
        use(builder);
        return builder.Services.Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
    }

    private static SessionRecord Record(string document, DateTimeOffset? expiresAt = null, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(document), expiresAt ?? TimeProvider.System.GetUtcNow().AddHours(1), [.. labels]);

    private Task<BsonDocument> StoredAsync(string key) => Records.Find(new BsonDocument("_id", key)).SingleAsync(Token);

    private async Task<DateTimeOffset> DropAtAsync(string key) => (await StoredAsync(key))["dropAt"].ToUniversalTime();

    private async Task<List<BsonDocument>> IndexesOfAsync(string collection) =>
        await (await server.Database.GetCollection<BsonDocument>(collection).Indexes.ListAsync(Token)).ToListAsync(Token);
}
