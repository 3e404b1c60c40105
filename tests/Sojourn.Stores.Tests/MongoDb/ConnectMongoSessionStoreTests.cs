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

/// <summary>The layout of connect-mongo, in each of its forms. What Node wrote was written by connect-mongo 6.0.0.</summary>
public sealed class ConnectMongoSessionStoreTests(MongoServer server)
{
    private const string NodeText = """{"cookie":{"originalMaxAge":60000,"expires":"2030-01-02T03:04:05.678Z","httpOnly":true,"path":"/"},"views":1,"big":5000000000,"half":0.5,"name":"Grüße","seen":"1970-01-01T00:00:00.000Z","nothing":null,"list":[1,"a",{"b":true}]}""";
    private const string NodeObject = """{"cookie":{"originalMaxAge":{"$numberInt":"60000"},"partitioned":null,"priority":null,"expires":{"$date":{"$numberLong":"1893553445678"}},"secure":null,"httpOnly":true,"domain":null,"path":"/","sameSite":null},"views":{"$numberInt":"1"},"big":{"$numberDouble":"5000000000.0"},"half":{"$numberDouble":"0.5"},"name":"Grüße","seen":{"$date":{"$numberLong":"0"}},"nothing":null,"list":[{"$numberInt":"1"},"a",{"b":true}]}""";
    private const string NodeWebCrypto =
        "VpvJf4bvKSxhzsbEmpV9H6y+bA/g6x97QRqRsZPHlkPReFqaBamwsE+nCD6bNQEEUresb6W7Ue0CQd8AADgfxtP4izxgK3EaWuSqtVZirA0o7jzYhI2eMyx3MJHcPOfPhC7gW8Qs/gXV2rerckbf1llmg7q3k4D/7c0+PBJkTB5MBjriGco/3fpQDl50lak1VFIUiE46NySXHGrXeKCunv6cMi2M5reeZcoCy96cnoDScrRji//9rwKbOnXKwrDpsH7wVz43ft/UFa6eMaJA+QWMpxjKcEIul7xIOzCUfTKaNhOAQ/trPfCHLABOwVi8shiKmEzjAxraaIN3WtN4KIY=";
    private const string NodeKruptein =
        "MIICvwSCAWQ5OFUwMFRjbmNHZEhXdHN4SHhjN1JOb0FVRzhTdEpacytMWnhHWjRVbE5LeDFjVU9ISlFtY3VXR05YaXBvWW44Z3M3ZVRxZ0Q0Y1k2RHh5NmFaZXNKUHRzN1JmTllyVis4WU1qYW1RVkJwMEtjWE5CSzBLeDF5V2ZPeXB3Z1BQckdiMFQ0Sm15K2RZUElqL0RSMU82b3BtZGEyUEkwdkJsdnZ0RnBWVmk1b3RtNlVMeGptRTV2WmtJRll0eTlSWGZJY2RlTUhYN0NOaURhbVVOWnF5UG5DL3oxa25laEU2OERLSkllTHJaRzlGR08zZEhzcUJ0MllkVzhBeGRtRXhLUUVuU0NuZkxBdGxEWFpveVRwcVZGMjhvKzJOb29kSHcwSmsyWExrN2pCZlRLOXd2bExpTjhXd1FCcTJnQ2RaOFpMdEdNYVBnVzlneHhxR1pFYkFoL2VBZUh0alFWbWlIS3piYwRYQmk5dzN6SlM2M1VlS0s4dVo1Vyt1K01LS2NHeGdvOWhwczRyZGlQdnh6Q1Zxb0NUSTM3b3BIcG5nMytDMm1KRS81Y1JuR3ptQXd1djlrWFRmOGE3enc9PQQMhjVgMGgiZjoM53AwBIGArVwOlOmVyOICZFUjubVdGyhUM40AXpHFPsP21xfCLWclhbvmJz1gBGVVqCB5ILuJKrV3I3K+pjynqqWVJ0ubcmgsUm3l6VzxROsAcWmpbukPg48w6LJcmt7IxQ2WzNJ5khYJLMgDMMTiv3pu/8VXw0dmZzLc6tiHdtym8dX+tGsEEHCZan57urvQHDTtJRapLeMEWGtVRWRkam9JbSs0QWhPdWpib25PSmpBck0wQkQ0ZjBCN0Erd3dVUWNqc1dvaDdDUndsckxTejNmSlM4TVd2VzBVWWxNQmI0T2ZjQ0Ywd1NPT2FaU1VRPT0=";
    private const string NodeSecret = "s3cret";

    private static readonly DateTimeOffset NodeExpires = DateTimeOffset.FromUnixTimeMilliseconds(1893553445678);
    private readonly string _collection = "test_" + Path.GetRandomFileName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IMongoCollection<BsonDocument> Records => server.Database.GetCollection<BsonDocument>(_collection);

    public static TheoryData<string> Forms() => ["text", "object", "webcrypto", "kruptein"];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task What_a_Node_application_wrote_is_read_and_changed_in_its_own_form(string form)
    {
        BsonValue written = form switch { "text" => NodeText, "object" => BsonDocument.Parse(NodeObject), "webcrypto" => NodeWebCrypto, _ => NodeKruptein };
        await Records.InsertOneAsync(
            new BsonDocument { { "_id", "sid" }, { "session", written }, { "expires", new BsonDateTime(NodeExpires.ToUnixTimeMilliseconds()) } }, null, Token);
        using var store = Store(o => As(form, o));
        var current = (await store.ReadAsync("sid", Token))!;
        Assert.Equal(NodeExpires, current.ExpiresAt);
        Assert.Equal(NodeText, Text(current));

        var next = NodeText.Replace("\"views\":1", "\"views\":2", StringComparison.Ordinal);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("sid", current, Record(next), Token)).Outcome);
        Assert.Equal(next, Text((await store.ReadAsync("sid", Token))!));
        var stored = await StoredAsync("sid");
        Assert.Equal(form == "object" ? BsonType.Document : BsonType.String, stored["session"].BsonType);
        if (form == "object")
        {
            // All that was not changed is what Node wrote, to the type.
            Assert.Equal(BsonDocument.Parse(NodeObject).Set("views", 2).ToBson(), stored["session"].AsBsonDocument.ToBson());
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task A_session_that_was_just_made_is_changed_without_being_read_again(string form)
    {
        var commands = new ConcurrentQueue<BsonDocument>();
        using var client = server.NewClient(commands);
        await using var services = MongoDbSessionStoreTests.Services(builder => builder.UseConnectMongo(_ => client, o => As(form, In(o))));
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada");
        await manager.CommitAsync(session, Token);
        session.Set("name", "Grace");
        await session.SaveAsync(Token);
        Assert.Equal(["insert", "update"], commands.Select(command => command.GetElement(0).Name).Where(name => name is not "createIndexes"));
        Assert.Equal("Grace", (await manager.LoadAsync(session.Id, Token))!.Get<string>("name"));
    }

    [Fact]
    public async Task A_session_is_its_JSON_under_its_id_and_lives_as_long_as_its_cookie()
    {
        await using var services = MongoDbSessionStoreTests.Services(
            builder => builder.UseConnectMongo(_ => server.Client, o => In(o)).Services.Configure<SojournOptions>(o => o.AbsoluteTimeout = null));
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada");
        await manager.CommitAsync(session, Token);
        var stored = await StoredAsync(session.Id);
        Assert.Equal(["_id", "session", "expires"], stored.Names);
        Assert.StartsWith("""{"cookie":{"originalMaxAge":null,"expires":null""", stored["session"].AsString, StringComparison.Ordinal);
        Assert.InRange(
            stored["expires"].ToUniversalTime(), TimeProvider.System.GetUtcNow().AddDays(13.9).UtcDateTime,
            TimeProvider.System.GetUtcNow().AddDays(14.1).UtcDateTime);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task Each_verb_is_one_command(string form)
    {
        var commands = new ConcurrentQueue<BsonDocument>();
        using var client = server.NewClient(commands);
        var options = In(new());
        As(form, options);
        using var store = new ConnectMongoSessionStore(client, options);
        await store.EnsureSchemaAsync(Token);
        Assert.Equal(["insert"], await SentAsync(async () => await store.CreateAsync("sid", Record("{}"), Token)));
        SessionRecord? current = null;
        Assert.Equal(["find"], await SentAsync(async () => current = await store.ReadAsync("sid", Token)));
        Assert.Equal(["update"], await SentAsync(async () => await store.TouchAsync("sid", current!, current!.ExpiresAt.AddMinutes(1), Token)));
        Assert.Equal(["update"], await SentAsync(async () => await store.ReplaceAsync("sid", current!, Record("""{"a":1}"""), Token)));
        Assert.Equal(
            ["update", "find"],
            await SentAsync(async () => Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("sid", current!, Record("{}"), Token)).Outcome)));
        current = await store.ReadAsync("sid", Token);
        Assert.Equal(["delete"], await SentAsync(async () => await store.DeleteAsync("sid", current, Token)));

        Task<string[]> SentAsync(Func<Task> act) => MongoServer.SentAsync(commands, act);
    }

    [Fact]
    public async Task An_expiry_is_left_alone_for_as_long_as_touchAfter_says_and_lastModified_is_kept_for_Node_outside_of_the_session()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var commands = new ConcurrentQueue<BsonDocument>();
        using var client = server.NewClient(commands);
        using var store = new ConnectMongoSessionStore(client, In(new() { TouchAfter = TimeSpan.FromHours(1) }), time);
        var ends = time.GetUtcNow().AddDays(14);
        await store.CreateAsync("sid", Record("{}", ends), Token);
        Assert.Equal(time.GetUtcNow().UtcDateTime, (await StoredAsync("sid"))["lastModified"].ToUniversalTime());
        var current = (await store.ReadAsync("sid", Token))!;
        Assert.Equal("{}", Text(current));

        time.Advance(TimeSpan.FromMinutes(59));
        commands.Clear();
        Assert.Equal(ends, (await store.TouchAsync("sid", current, ends.AddMinutes(59), Token)).Record!.ExpiresAt);
        Assert.Empty(commands);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(WriteOutcome.Done, (await store.TouchAsync("sid", current, ends.AddMinutes(60), Token)).Outcome);
        var stored = await StoredAsync("sid");
        Assert.Equal(time.GetUtcNow().UtcDateTime, stored["lastModified"].ToUniversalTime());
        Assert.Equal(ends.AddMinutes(60).UtcDateTime, stored["expires"].ToUniversalTime());

        // A deadline that is brought forward is no matter of touchAfter.
        Assert.Equal(WriteOutcome.Done, (await store.TouchAsync("sid", current, ends.AddHours(-1), Token)).Outcome);
        Assert.Equal(ends.AddHours(-1), (await store.ReadAsync("sid", Token))!.ExpiresAt);
    }

    [Fact]
    public async Task A_session_of_another_secret_is_as_none_and_kept()
    {
        await Records.InsertOneAsync(
            new BsonDocument { { "_id", "sid" }, { "session", NodeWebCrypto }, { "expires", new BsonDateTime(NodeExpires.ToUnixTimeMilliseconds()) } }, null,
            Token);
        await using var services = MongoDbSessionStoreTests.Services(
            builder => builder.UseConnectMongo(_ => server.Client, o => (In(o).Encryption, o.Secret) = (ConnectMongoEncryption.WebCrypto, "another")));
        Assert.Null(await services.GetRequiredService<SessionManager>().LoadAsync("sid", Token));
        Assert.Equal(NodeWebCrypto, (await StoredAsync("sid"))["session"]);
    }

    /// <summary>Never a weaker decoder as a fallback: whoever can write to the database could put a session there otherwise.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Where_sessions_are_encrypted_one_in_the_clear_is_as_none(bool isText)
    {
        BsonValue clear = isText ? NodeText : BsonDocument.Parse(NodeObject);
        await Records.InsertOneAsync(
            new BsonDocument { { "_id", "sid" }, { "session", clear }, { "expires", new BsonDateTime(NodeExpires.ToUnixTimeMilliseconds()) } }, null, Token);
        await using var services = MongoDbSessionStoreTests.Services(builder => builder.UseConnectMongo(_ => server.Client, o => As("webcrypto", In(o))));
        Assert.Null(await services.GetRequiredService<SessionManager>().LoadAsync("sid", Token));
        Assert.NotNull(await StoredAsync("sid"));
    }

    [Fact]
    public async Task A_record_without_an_end_of_its_own_lives_as_long_as_TimeToLive()
    {
        await Records.InsertOneAsync(new BsonDocument { { "_id", "sid" }, { "session", NodeText } }, null, Token);
        using var store = Store(o => o.TimeToLive = TimeSpan.FromDays(3));
        var now = TimeProvider.System.GetUtcNow();
        Assert.InRange((await store.ReadAsync("sid", Token))!.ExpiresAt, now.AddDays(2.9), now.AddDays(3.1));
    }

    [Fact]
    public async Task The_index_of_connect_mongo_is_made_or_demanded_with_autoRemove_native_alone()
    {
        using (var disabled = Store(o => o.AutoRemove = ConnectMongoAutoRemove.Disabled)) await disabled.EnsureSchemaAsync(Token);
        using (var checking = Store(o => o.CreateIndexes = false))
        {
            var missing = await Assert.ThrowsAsync<SessionSchemaException>(async () => await checking.EnsureSchemaAsync(Token));
            Assert.EndsWith(".createIndex({ expires: 1 }, { expireAfterSeconds: 0 });", missing.Script, StringComparison.Ordinal);
        }

        using var native = Store();
        await native.EnsureSchemaAsync(Token);
        var indexes = await (await Records.Indexes.ListAsync(Token)).ToListAsync(Token);
        Assert.Equal(0, Assert.Single(indexes, index => index["name"] == "expires_1")["expireAfterSeconds"]);
        await native.CreateAsync("sid", Record("{}", TimeProvider.System.GetUtcNow().AddSeconds(-1)), Token);
        Assert.Equal(0, await native.PruneAsync(TimeProvider.System.GetUtcNow(), Token));
    }

    [Fact]
    public async Task A_document_that_cannot_be_kept_as_an_object_is_refused_and_the_stored_one_stays()
    {
        using var store = Store(o => o.Stringify = false);
        await store.CreateAsync("sid", Record("""{"a":1}"""), Token);
        var current = (await store.ReadAsync("sid", Token))!;
        await Assert.ThrowsAsync<FormatException>(async () => await store.ReplaceAsync("sid", current, Record("""{"a":1e9999}"""), Token));
        Assert.Equal("""{"a":1}""", Text((await store.ReadAsync("sid", Token))!));
    }

    [Fact]
    public async Task A_version_of_what_nobody_stored_fits_nothing_that_is_stored_encrypted()
    {
        using var store = Store(o => As("webcrypto", o));
        var record = Record("{}");
        await store.CreateAsync("sid", record, Token);
        Assert.Equal((await store.ReadAsync("sid", Token))!.Version, store.VersionOf(record));
        var other = Record("{}");
        Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("sid", other.WithVersion(store.VersionOf(other)), other, Token)).Outcome);
    }

    [Fact]
    public async Task With_timestamps_a_record_tells_when_it_was_made_and_when_it_was_last_written_or_touched()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var store = new ConnectMongoSessionStore(server.Client, In(new() { Timestamps = true, AutoRemove = ConnectMongoAutoRemove.Disabled }), time);
        await store.CreateAsync("sid", Record("{}"), Token);
        var made = await StoredAsync("sid");
        Assert.Equal(["_id", "session", "expires", "createdAt", "updatedAt"], made.Names);
        Assert.Equal(time.GetUtcNow().UtcDateTime, made["createdAt"].ToUniversalTime());
        Assert.Equal(made["createdAt"], made["updatedAt"]);

        var current = (await store.ReadAsync("sid", Token))!;
        await store.TouchAsync("sid", current, current.ExpiresAt.AddHours(1), Token);
        var touched = await StoredAsync("sid");
        Assert.True(touched["updatedAt"] > made["updatedAt"]);
        await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Token);
        await store.ReplaceAsync("sid", current, Record("""{"a":1}"""), Token);
        var written = await StoredAsync("sid");
        Assert.True(written["updatedAt"] > touched["updatedAt"]);
        Assert.Equal(made["createdAt"], written["createdAt"]);
    }

    [Fact]
    public async Task With_a_transformed_id_the_id_itself_is_nowhere_and_sessions_cannot_be_paged_through()
    {
        using var store = Store(o => o.TransformId = static id => id == "none" ? "" : "hash of " + id);
        Assert.True(await store.CreateAsync("sid", Record("{}"), Token));
        Assert.False(await store.CreateAsync("sid", Record("{}"), Token));
        Assert.NotNull(await StoredAsync("hash of sid"));
        Assert.NotNull(await store.ReadAsync("sid", Token));
        Assert.Equal(1, await store.CountAsync(Token));
        Assert.Contains(
            "connect-mongo with a TransformId", (await Assert.ThrowsAsync<NotSupportedException>(async () => await store.PageAsync(null, 10, Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "TransformId", (await Assert.ThrowsAsync<InvalidOperationException>(async () => await store.ReadAsync("none", Token))).Message,
            StringComparison.Ordinal);
        Assert.Equal(WriteOutcome.Done, (await store.DeleteAsync("sid", null, Token)).Outcome);
        Assert.Equal(0, await store.CountAsync(Token));
    }

    [Fact]
    public async Task There_are_no_labels_and_the_message_names_the_layout()
    {
        using var store = Store();
        Assert.Contains(
            "connect-mongo", (await Assert.ThrowsAsync<NotSupportedException>(async () => await store.FindAsync("subject:1", Token))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<NotSupportedException>(async () => await store.DeleteByLabelAsync("subject:1", Token));
    }

    [Fact]
    public async Task The_layout_is_set_from_a_section_of_the_configuration()
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionString"] = server.ConnectionString,
            ["DatabaseName"] = server.DatabaseName,
            ["CollectionName"] = _collection,
            ["Stringify"] = "false",
            ["TimeToLive"] = "1.00:00:00",
            ["AutoRemove"] = "Disabled",
        }).Build();
        await using var services = MongoDbSessionStoreTests.Services(builder => builder.UseConnectMongo(section));
        var store = Assert.IsType<ConnectMongoSessionStore>(services.GetRequiredService<ISessionStore>());
        Assert.Equal(TimeSpan.FromDays(1), store.TimeToLive);
        await store.CreateAsync("sid", Record("{}"), Token);
        Assert.Equal(new BsonDocument(), (await StoredAsync("sid"))["session"]);
    }

    [Fact]
    public async Task Options_that_cannot_be_meant_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Store(o => o.CollectionName = ""));
        Assert.Throws<ArgumentException>(() => Store(o => o.TimeToLive = TimeSpan.Zero));
        Assert.Throws<ArgumentException>(() => Store(o => o.TouchAfter = TimeSpan.FromDays(14)));
        Assert.Throws<ArgumentException>(() => Store(o => o.Encryption = ConnectMongoEncryption.WebCrypto));
        Assert.Throws<ArgumentException>(() => Store(o => o.Secret = "a secret without an encryption"));
        Assert.Throws<ArgumentException>(() => Store(o => o.Serialize = static json => new BsonBinaryData(json.ToArray())));
        Assert.Contains("before unserialize sees it", Assert.Throws<ArgumentException>(() => Store(o =>
        {
            (o.Serialize, o.Unserialize) = (static json => new BsonBinaryData(json.ToArray()), static content => content.AsByteArray);
            (o.Encryption, o.Secret) = (ConnectMongoEncryption.WebCrypto, "a secret");
        })).Message, StringComparison.Ordinal);
        await using var services = new ServiceCollection().AddSojournCore().UseConnectMongo(_ => server.Client).Services
            .Configure<SojournOptions>(o => (o.ApplicationName, o.IdleTimeout) = ("tests", TimeSpan.FromHours(1))).BuildServiceProvider();
        Assert.Contains(
            "TimeToLive", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<SessionManager>()).Message, StringComparison.Ordinal);
    }

    private static ConnectMongoSessionStoreOptions As(string form, ConnectMongoSessionStoreOptions options)
    {
        options.Stringify = form != "object";
        options.Encryption =
            form switch { "webcrypto" => ConnectMongoEncryption.WebCrypto, "kruptein" => ConnectMongoEncryption.Kruptein, _ => ConnectMongoEncryption.None };
        options.Secret = options.Encryption == ConnectMongoEncryption.None ? null : NodeSecret;
        return options;
    }

    private static SessionRecord Record(string document, DateTimeOffset? expiresAt = null) =>
        new(Encoding.UTF8.GetBytes(document), expiresAt ?? TimeProvider.System.GetUtcNow().AddHours(1));

    private static string Text(SessionRecord record) => Encoding.UTF8.GetString(record.Document.Span);

    private ConnectMongoSessionStoreOptions In(ConnectMongoSessionStoreOptions options)
    {
        (options.DatabaseName, options.CollectionName) = (server.DatabaseName, _collection);
        return options;
    }

    private ConnectMongoSessionStore Store(Action<ConnectMongoSessionStoreOptions>? configure = null)
    {
        var options = In(new());
        configure?.Invoke(options);
        return new ConnectMongoSessionStore(server.Client, options);
    }

    private Task<BsonDocument> StoredAsync(string key) => Records.Find(new BsonDocument("_id", key)).SingleAsync(Token);
}
