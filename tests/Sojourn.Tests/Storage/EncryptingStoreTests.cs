using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>An encrypted store is a store, and what lies beneath it can neither be read nor written by whoever has the database.</summary>
public sealed class EncryptingStoreTests : SessionStoreConformance
{
    private const string First = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    private const string Second = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DateTimeOffset InAnHour => TimeProvider.System.GetUtcNow().AddHours(1);

    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(Encrypted());

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(Encrypted());

    [Fact]
    public async Task What_is_stored_is_one_JSON_object_that_says_nothing_of_the_document()
    {
        await Store.CreateAsync("key", Record("""{"user":"ada"}""", "subject:42"), Cancel);
        var created = await AssertSealedAsync("first");
        await Store.ReplaceAsync("key", await ReadAsync("key"), Record("""{"user":"ada"}""", "subject:42"), Cancel);
        Assert.NotEqual(created, await AssertSealedAsync("first"));
        var replaced = await AssertSealedAsync("first");
        await Store.TouchAsync("key", await ReadAsync("key"), InAnHour.AddHours(1), Cancel);
        Assert.Equal(replaced, await AssertSealedAsync("first"));
    }

    [Theory]
    [InlineData("moved", "altered")]
    [InlineData("flipped", "altered")]
    [InlineData("truncated", "altered")]
    [InlineData("emptied", "altered")]
    [InlineData("of another key", "altered")]
    [InlineData("of an unknown key", "unknown-key")]
    [InlineData("in clear", "not-sealed")]
    [InlineData("empty", "not-sealed")]
    public async Task V6_V22_What_was_not_sealed_here_for_this_record_is_refused_and_counted_and_kept(string tampering, string reason)
    {
        await using var services = Services(_memory);
        var (store, manager) = (services.GetRequiredService<ISessionStore>(), services.GetRequiredService<SessionManager>());
        var (id, key) = await SessionAsync(manager, "ada");
        var (_, other) = await SessionAsync(manager, "grace");
        var refused = new List<string>();
        using var listener = Listen(services, refused);
        var stored = await AtRestAsync(key);
        var planted = tampering switch
        {
            "moved" => await AtRestAsync(other),
            "flipped" => stored[..40] + (stored[40] == 'A' ? 'B' : 'A') + stored[41..],
            "truncated" => stored[..^6] + "\"}",
            "emptied" => """{"$sealed":"first."}""",
            "of another key" => await SealedByAsync(key, ("first", Second)),
            "of an unknown key" => await SealedByAsync(key, ("second", Second)),
            "empty" => "",
            _ => """{"cookie":{"originalMaxAge":null,"expires":null},"$sojourn":{"subject":"admin"},"user":"admin"}""",
        };
        await PlantAsync(key, planted);
        Assert.Null(await manager.LoadAsync(id, Cancel));
        Assert.Equal([reason], refused);
        Assert.Equal(planted, await AtRestAsync(key));
        Assert.True((await store.ReadAsync(key, Cancel))!.Document.IsEmpty);

        // An operator still finds it, and ends it.
        Assert.True(Assert.Single(await store.As<ISessionIndex>()!.FindAsync("subject:ada", Cancel)).Value.Document.IsEmpty);
        Assert.Equal(1, await store.As<ISessionIndex>()!.DeleteByLabelAsync("subject:ada", Cancel));
    }

    [Fact]
    public async Task A_request_that_meets_a_planted_record_fails_and_does_not_take_it_over()
    {
        await using var services = Services(_memory);
        var manager = services.GetRequiredService<SessionManager>();
        var (id, key) = await SessionAsync(manager, "ada");
        var session = (await manager.LoadAsync(id, Cancel))!;
        session.Set("n", 1);
        await PlantAsync(key, """{"user":"admin"}""");
        await Assert.ThrowsAsync<SessionStoreException>(async () => await manager.CommitAsync(session, Cancel));
        Assert.Equal("""{"user":"admin"}""", await AtRestAsync(key));
    }

    [Fact]
    public async Task A_process_without_encryption_takes_a_sealed_session_for_unreadable_and_not_for_an_empty_one()
    {
        await using var services = Services(_memory);
        var (id, _) = await SessionAsync(services.GetRequiredService<SessionManager>(), "ada");
        await using var without = Services(builder => builder.UseStore(_ => _memory));
        Assert.Null(await without.GetRequiredService<SessionManager>().LoadAsync(id, Cancel));
    }

    [Fact]
    public async Task A_new_key_is_put_in_front_and_nobody_is_signed_out()
    {
        await Encrypted(("old", First)).CreateAsync("key", Record("""{"n":1}"""), Cancel);
        var rotated = Encrypted(("new", Second), ("old", First));
        var record = (await rotated.ReadAsync("key", Cancel))!;
        Assert.Equal("""{"n":1}""", TextOf(record));
        await rotated.TouchAsync("key", record, InAnHour.AddHours(1), Cancel);
        await AssertSealedAsync("old");
        await rotated.ReplaceAsync("key", record, Record("""{"n":2}"""), Cancel);
        await AssertSealedAsync("new");
        Assert.Equal("""{"n":2}""", TextOf(await Encrypted(("new", Second)).ReadAsync("key", Cancel)));
        Assert.True((await Encrypted(("old", First)).ReadAsync("key", Cancel))!.Document.IsEmpty);
    }

    [Fact]
    public async Task AllowPlaintext_reads_what_was_there_before_and_seals_it_with_the_next_write_and_opens_nothing_else()
    {
        await _memory.CreateAsync("key", Record("""{"n":1}"""), Cancel);
        var store = Services(_memory, o => o.AllowPlaintext = true).GetRequiredService<ISessionStore>();
        var record = (await store.ReadAsync("key", Cancel))!;
        Assert.Equal("""{"n":1}""", TextOf(record));
        await store.ReplaceAsync("key", record, Record("""{"n":2}"""), Cancel);
        await PlantAsync("other", await AssertSealedAsync("first"));
        Assert.Equal("""{"n":2}""", TextOf(await store.ReadAsync("key", Cancel)));
        Assert.True((await store.ReadAsync("other", Cancel))!.Document.IsEmpty);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Sessions_move_into_and_out_of_encryption(bool isOldEncrypted, bool isNewEncrypted)
    {
        var (old, fresh) = (new MemorySessionStore(), new MemorySessionStore());
        var (id, key) = await SessionAsync(Services(builder => Use(builder, old, isOldEncrypted)).GetRequiredService<SessionManager>(), "ada");
        await using (var during = Services(builder => Use(builder, fresh, isNewEncrypted).MigratingFrom(from => Use(from, old, isOldEncrypted))))
        {
            var manager = during.GetRequiredService<SessionManager>();
            var session = (await manager.LoadAsync(id, Cancel))!;
            session.Set("n", 1);
            await manager.CommitAsync(session, Cancel);

            // One that is destroyed before it has moved must not come back.
            var (gone, _) = await SessionAsync(Services(builder => Use(builder, old, isOldEncrypted)).GetRequiredService<SessionManager>(), "grace");
            await (await manager.LoadAsync(gone, Cancel))!.DestroyAsync(Cancel);
            Assert.Null(await manager.LoadAsync(gone, Cancel));
        }

        var after = (await Services(builder => Use(builder, fresh, isNewEncrypted)).GetRequiredService<SessionManager>().LoadAsync(id, Cancel))!;
        Assert.Equal(("ada", 1), (after.Get<string>("user"), after.Get<int>("n")));
        Assert.Equal(0, await old.CountAsync(Cancel));
        Assert.Equal(isNewEncrypted, TextOf(await fresh.ReadAsync(key, Cancel))!.StartsWith("""{"$sealed":"first.""", StringComparison.Ordinal));

        static SojournBuilder Use(SojournBuilder builder, MemorySessionStore store, bool isEncrypted) =>
            isEncrypted ? builder.UseStore(_ => store).WithEncryption(o => Add(o, ("first", First))) : builder.UseStore(_ => store);
    }

    [Fact]
    public void What_the_store_inside_can_do_the_encrypted_one_can()
    {
        Assert.Same(Store, Store.As<ISessionIndex>());
        Assert.Same(_memory, Store.As<ISubjectRegistry>());
        Assert.Same(_memory, Store.As<IExpiringStore>());
        Assert.Null(Store.As<ISessionLease>());
        Assert.Null(Services(new BareStore(_memory)).GetRequiredService<ISessionStore>().As<ISessionIndex>());
    }

    [Fact]
    public async Task The_limit_counts_the_document_and_not_what_it_is_sealed_to()
    {
        await using var services = Services(
            builder =>
                builder.UseStore(_ => _memory).WithEncryption(o => Add(o, ("first", First))).Services.Configure<SojournOptions>(
                    o => o.MaxDocumentBytes = 1024));
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("text", new string('x', 800));
        await manager.CommitAsync(session, Cancel);
        Assert.True((await _memory.ReadAsync(manager.KeyOf(session.Id), Cancel))!.Document.Length > 1024);
        session.Set("text", new string('x', 1000));
        await Assert.ThrowsAsync<SessionTooLargeException>(async () => await manager.CommitAsync(session, Cancel));
    }

    [Fact]
    public async Task Keys_come_from_the_configuration()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Sojourn:Encryption:Keys:0:Name"] = "2030-01",
            ["Sojourn:Encryption:Keys:0:Key"] = Second,
            ["Sojourn:Encryption:Keys:1:Name"] = "2029-12",
            ["Sojourn:Encryption:Keys:1:Key"] = First,
        }).Build();
        await Encrypted(("2029-12", First)).CreateAsync("key", Record("""{"n":1}"""), Cancel);
        await using var services = Services(builder =>
        {
            builder.Services.AddSingleton<IConfiguration>(configuration);
            builder.UseStore(_ => _memory).WithEncryption();
        });
        var store = services.GetRequiredService<ISessionStore>();
        var record = (await store.ReadAsync("key", Cancel))!;
        Assert.Equal("""{"n":1}""", TextOf(record));
        await store.ReplaceAsync("key", record, Record("{}"), Cancel);
        await AssertSealedAsync("2030-01");
    }

    [Theory]
    [InlineData("no key", "openssl rand -base64 32")]
    [InlineData("short", "Encryption:Keys:0:Key must be 32 bytes")]
    [InlineData("no base64", "Encryption:Keys:0:Key must be 32 bytes")]
    [InlineData("name", "Encryption:Keys:0:Name must have")]
    [InlineData("twice", "Encryption:Keys:1:Name is 'first'")]
    [InlineData("npm layout", "cannot seal the layout of an npm store")]
    [InlineData("after MigratingFrom", "right after the store")]
    public void What_cannot_be_meant_fails_at_start_and_says_what_to_do(string mistake, string said)
    {
        var problem = Assert.Throws<OptionsValidationException>(() => Services(builder => _ = mistake switch
        {
            "no key" => builder.UseStore(_ => _memory).WithEncryption(),
            "short" => builder.UseStore(_ => _memory).WithEncryption(o => Add(o, ("first", First[..24]))),
            "no base64" => builder.UseStore(_ => _memory).WithEncryption(o => Add(o, ("first", "correct horse battery staple"))),
            "name" => builder.UseStore(_ => _memory).WithEncryption(o => Add(o, ("a.b", First))),
            "twice" => builder.UseStore(_ => _memory).WithEncryption(o => Add(o, ("first", First), ("first", Second))),
            "npm layout" => builder.UseStore(_ => new NpmStore(_memory)).WithEncryption(o => Add(o, ("first", First))),
            _ => builder.UseStore(_ => _memory).MigratingFrom(old => old.UseMemory()).WithEncryption(o => Add(o, ("first", First))),
        }).GetRequiredService<ISessionStore>());
        Assert.Contains(said, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(First[..24], problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_chosen_after_WithEncryption_would_not_be_encrypted_and_is_an_error()
    {
        var builder = new ServiceCollection().AddSojournCore().WithEncryption(o => Add(o, ("first", First)));
        Assert.Contains(
            "after the verb that chooses the store", Assert.Throws<InvalidOperationException>(() => builder.UseMemory()).Message, StringComparison.Ordinal);
    }

    private static void Add(SessionEncryptionOptions options, params (string Name, string Key)[] keys)
    {
        foreach (var (name, key) in keys)
        {
            options.Keys.Add(new SessionEncryptionKey { Name = name, Key = key });
        }
    }

    private static ServiceProvider Services(Action<SojournBuilder> use)
    {
        var builder = new ServiceCollection().AddSojournCore();
        use(builder);
        return builder.Services.Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
    }

    private static ServiceProvider Services(ISessionStore store, Action<SessionEncryptionOptions>? more = null) =>
        Services(builder => builder.UseStore(_ => store).WithEncryption(o =>
    {
        Add(o, ("first", First));
        more?.Invoke(o);
    }));

    private static MeterListener Listen(IServiceProvider services, List<string> refused)
    {
        // The meter of this container, and of no other test's.
        var meter = services.GetRequiredService<IMeterFactory>().Create("Sojourn");
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == meter && instrument.Name == "sojourn.documents.refused") listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => refused.Add((string)tags[0].Value!));
        listener.Start();
        return listener;
    }

    private static async Task<(string Id, string Key)> SessionAsync(SessionManager manager, string user)
    {
        var session = manager.Create();
        await session.SignInAsync(user, cancellationToken: Cancel);
        session.Set("user", user);
        await manager.CommitAsync(session, Cancel);
        return (session.Id, manager.KeyOf(session.Id));
    }

    private static SessionRecord Record(string document, params string[] labels) => new(Encoding.UTF8.GetBytes(document), InAnHour, [.. labels]);

    private static string? TextOf(SessionRecord? record) => record is null ? null : Encoding.UTF8.GetString(record.Document.Span);

    private ISessionStore Encrypted(params (string Name, string Key)[] keys) =>
        Services(
            builder => builder.UseStore(_ => _memory).WithEncryption(o => Add(o, keys is [] ? [("first", First)] : keys))).GetRequiredService<ISessionStore>();

    private async Task<SessionRecord> ReadAsync(string key) => (await Store.ReadAsync(key, Cancel))!;

    private async Task<string> AtRestAsync(string key) => TextOf(await _memory.ReadAsync(key, Cancel))!;

    private async Task<string> AssertSealedAsync(string keyName)
    {
        var stored = await AtRestAsync("key");
        var member = Assert.Single(JsonDocument.Parse(stored).RootElement.EnumerateObject());
        Assert.Equal("$sealed", member.Name);
        Assert.StartsWith(keyName + ".", member.Value.GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("ada", stored, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String("\"user\":\"ada"u8)[..12], stored, StringComparison.Ordinal);
        return stored;
    }

    /// <summary>The document that another owner of keys would store under a key.</summary>
    private static async Task<string> SealedByAsync(string key, (string Name, string Key) by)
    {
        var memory = new MemorySessionStore();
        await Services(builder => builder.UseStore(_ => memory).WithEncryption(o => Add(o, by))).GetRequiredService<ISessionStore>().CreateAsync(key, Record("""{"user":"admin"}"""), Cancel);
        return TextOf(await memory.ReadAsync(key, Cancel))!;
    }

    private async Task PlantAsync(string key, string document)
    {
        if (await _memory.ReadAsync(key, Cancel) is { } there)
        {
            Assert.Equal(WriteOutcome.Done, (await _memory.ReplaceAsync(key, there, Record(document, [.. there.Labels]), Cancel)).Outcome);
        }
        else
        {
            Assert.True(await _memory.CreateAsync(key, Record(document), Cancel));
        }
    }

    internal sealed class NpmStore(ISessionStore inner) : BareStore(inner), INodeLayout
    {
        public TimeSpan TimeToLive => TimeSpan.FromDays(1);

        public bool CanTouch => true;

        public SessionVersion VersionOf(SessionRecord record) => new(record.Document.ToArray());
    }
}
