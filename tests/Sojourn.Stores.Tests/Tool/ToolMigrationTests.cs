using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;
using Sojourn.Tool;
using Sojourn.Tool.Migrating;
using Sojourn.Tool.Stores;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>sojourn migrate.</summary>
public sealed class ToolMigrationTests(RedisServer redis, PostgresServer postgres, MariaDbServer mysql, MongoServer mongo) : IDisposable
{
    private readonly ToolStores _stores = new(redis, postgres, mysql, mongo);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _stores.Dispose();

    [Theory]
    [InlineData("connect-redis", "redis")]
    [InlineData("connect-pg-simple", "postgres")]
    [InlineData("express-mysql-session", "sqlite")]
    [InlineData("connect-mongo", "mongodb")]
    [InlineData("sqlite", "postgres")]
    [InlineData("postgres", "mysql")]
    [InlineData("mongodb", "redis")]
    [InlineData("connect-redis", "connect-mongo")]
    public async Task Sessions_move_to_another_store_and_are_opened_there_by_the_same_ids(string from, string to)
    {
        var (source, target) = (await _stores.NewAsync(from), await _stores.NewAsync(to));
        await using var old = await source.StartAsync();
        var (ada, nobody) = (await old.NewSessionAsync("ada", "pear"), await old.NewSessionAsync(null, "fig"));
        string[] arguments = ["migrate", .. source.Options("from"), .. target.Options("to"), "--application-name", ToolStores.ApplicationName];

        var dry = await ToolRun.JsonAsync([.. arguments, "--dry-run"]);
        Assert.Equal((2, true), ((int)dry["copied"]!, (bool)dry["dryRun"]!));
        if (to is "postgres" or "mysql" or "mongodb" or "connect-mongo" or "sqlite")
        {
            // It made nothing, not even the tables.
            Assert.Equal(3, (await ToolRun.RunAsync(["list", .. target.Options()])).Code);
        }

        Assert.Equal(2, (int)(await ToolRun.JsonAsync(arguments))["copied"]!);
        await using var app = await target.StartAsync();
        Assert.Equal("pear", await app.FirstOfCartAsync(ada.Id));
        Assert.Equal("fig", await app.FirstOfCartAsync(nobody.Id));
        Assert.Equal("ada", (await app.Sessions.LoadAsync(ada.Id, Token))!.Subject);
        Assert.Equal("pear", await old.FirstOfCartAsync(ada.Id));
        if (target.IsNative)
        {
            Assert.Equal(1, (int)(await ToolRun.JsonAsync(["end", "--subject", "ada", "--yes", .. target.Options()]))["ended"]!);
            Assert.Null(await app.CartAsync(ada.Id));
        }
    }

    [Theory]
    [InlineData("connect-redis", "sqlite")]
    [InlineData("sqlite", "postgres")]
    public async Task What_is_at_the_new_store_stays_unless_copies_are_refreshed(string from, string to)
    {
        var (source, target) = (await _stores.NewAsync(from), await _stores.NewAsync(to));
        await using var old = await source.StartAsync();
        var (one, two) = (await old.NewSessionAsync(null), await old.NewSessionAsync(null));
        string[] arguments = ["migrate", .. source.Options("from"), .. target.Options("to"), "--application-name", ToolStores.ApplicationName];
        await ToolRun.JsonAsync(arguments);
        Assert.Equal((0, 2), await CopiedAndKeptAsync(arguments));

        // Used at the new store, a while after the copying.
        await using var app = await target.StartAsync();
        var session = (await app.Sessions.LoadAsync(one.Id, Token))!;
        session.Set("cart", new[] { "changed there" });
        await app.Sessions.CommitAsync(session, Token);
        var changed = (await app.Store.ReadAsync(new SessionId(ToolStores.ApplicationName).KeyOf(one.Id), Token))!;
        await app.Store.TouchAsync(new SessionId(ToolStores.ApplicationName).KeyOf(one.Id), changed, changed.ExpiresAt + TimeSpan.FromMinutes(1), Token);

        // Used at the old one, by whoever does not know the new one yet.
        var key = source.IsNative ? new SessionId(ToolStores.ApplicationName).KeyOf(two.Id) : two.Id;
        var record = (await old.Store.ReadAsync(key, Token))!;
        await old.Store.ReplaceAsync(key, record, new SessionRecord("""{"cookie":{"originalMaxAge":null,"expires":null},"cart":["changed here"]}"""u8.ToArray(), record.ExpiresAt + TimeSpan.FromMinutes(5)), Token);
        Assert.Equal((0, 2), await CopiedAndKeptAsync(arguments));
        Assert.Equal("changed there", await app.FirstOfCartAsync(one.Id));
        Assert.Equal("apple", await app.FirstOfCartAsync(two.Id));
        Assert.Equal(from is "sqlite" ? 1 : 2, (int)(await ToolRun.JsonAsync([.. arguments, "--refresh", "--dry-run"]))["replaced"]!);
        Assert.Equal("apple", await app.FirstOfCartAsync(two.Id));
        if (from is not "sqlite") return;

        // Stores whose sessions live as long: of the two of a session the one that ends later was used later.
        Assert.Equal(1, (int)(await ToolRun.JsonAsync([.. arguments, "--refresh"]))["replaced"]!);
        Assert.Equal("changed there", await app.FirstOfCartAsync(one.Id));
        Assert.Equal("changed here", await app.FirstOfCartAsync(two.Id));
    }

    [Fact]
    public async Task What_cannot_be_moved_is_refused_with_the_reason()
    {
        var (native, npm) = (await _stores.NewAsync("sqlite"), await _stores.NewAsync("connect-redis"));
        await using var app = await native.StartAsync();
        var hashes = await ToolRun.RunAsync(["migrate", .. native.Options("from"), .. npm.Options("to")]);
        Assert.Equal(2, hashes.Code);
        Assert.Contains("only hashes", hashes.Error, StringComparison.Ordinal);
        var name = await ToolRun.RunAsync(["migrate", .. npm.Options("from"), .. native.Options("to")]);
        Assert.Equal(2, name.Code);
        Assert.Contains("--application-name", name.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await ToolRun.RunAsync(["migrate", .. npm.Options("from"), .. npm.Options("to")])).Code);
        Assert.Equal(2, (await ToolRun.RunAsync(["migrate", .. npm.Options("from")])).Code);
    }

    [Fact]
    public async Task It_goes_on_where_it_was_interrupted_and_its_checkpoint_holds_no_id()
    {
        var (source, target) = (await _stores.NewAsync("connect-redis"), await _stores.NewAsync("sqlite"));
        await using var old = await source.StartAsync();
        var ids = new List<string>();
        var record = new SessionRecord("""{"cookie":{"originalMaxAge":null,"expires":null},"cart":["x"]}"""u8.ToArray(), TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1));
        for (var i = 0; i < 1_200; i++) ids.Add(SessionId.New());
        await Task.WhenAll(ids.Select(id => old.Store.CreateAsync(id, record, Token).AsTask()));
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "checkpoint.json");
        string[] arguments =
            ["migrate", .. source.Options("from"), .. target.Options("to"), "--application-name", ToolStores.ApplicationName, "--checkpoint", file];

        // As Ctrl+C does it, after the first page.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        using var watcher = new FileSystemWatcher(directory.Path) { EnableRaisingEvents = true };
        watcher.Renamed += (_, _) => stop.Cancel();
        Assert.Equal(130, (await ToolRun.RunAsync(arguments, null, null, stop.Token)).Code);
        var checkpoint = await File.ReadAllTextAsync(file, Token);
        Assert.All(ids, id => Assert.DoesNotContain(id[..9], checkpoint, StringComparison.Ordinal));

        var other = await _stores.NewAsync("sqlite");
        var foreign = await ToolRun.RunAsync(["migrate", "--checkpoint", file, "--application-name", "x", .. source.Options("from"), .. other.Options("to")]);
        Assert.Equal(2, foreign.Code);
        Assert.Equal(2, (await ToolRun.RunAsync([.. arguments, "--from-set", "KeyPrefix=other:"])).Code);

        var rest = await ToolRun.JsonAsync(arguments);
        Assert.Equal(1_200, (int)rest["copied"]!);
        Assert.False(File.Exists(file));
        Assert.Equal(1_200, (int)(await ToolRun.JsonAsync(["stats", .. target.Options()]))["alive"]!);
    }

    [Fact]
    public async Task A_session_that_is_destroyed_while_it_is_copied_does_not_come_back()
    {
        var source = await _stores.NewAsync("sqlite");
        await using var old = await source.StartAsync();
        var session = await old.NewSessionAsync(null);
        await using var from = Open(source);
        var memory = new MemorySessionStore();
        var to = new MeddledStore(memory, async key => await old.Store.DeleteAsync(key, null, Token));
        var counts = await new Migration(from, to, static key => key, isRefresh: false, isDryRun: false, TimeProvider.System)
            .RunAsync(Checkpoint.Beginning, static _ => Task.CompletedTask, static () => { }, static (_, _) => { }, Token);
        Assert.Equal((0, 1), (counts[MigrationOutcome.Copied], counts[MigrationOutcome.Ended]));
        Assert.Equal(0, await ((ISessionIndex)memory).CountAsync(Token));
        Assert.Null(await old.CartAsync(session.Id));
    }

    [Fact]
    public async Task One_that_cannot_be_copied_holds_up_no_other_and_a_store_that_is_away_stops_it()
    {
        var source = await _stores.NewAsync("sqlite");
        await using var old = await source.StartAsync();
        for (var i = 0; i < 10; i++) await old.NewSessionAsync(null);
        var bad = (await ((ISessionIndex)old.Store).PageAsync(null, 10, Token))[3].Key;
        await using var from = Open(source);
        var memory = new MemorySessionStore();
        var told = new List<string>();
        var counts = await new Migration(
            from, new MeddledStore(memory, key => key == bad ? throw new IOException("It does not fit.") : Task.CompletedTask), static key => key,
            isRefresh: false, isDryRun: false, TimeProvider.System)
            .RunAsync(Checkpoint.Beginning, static _ => Task.CompletedTask, static () => { }, (fingerprint, _) => told.Add(fingerprint), Token);
        Assert.Equal((9, 1), (counts[MigrationOutcome.Copied], counts[MigrationOutcome.Failed]));
        Assert.Equal([FoundSession.Fingerprint(bad)], told);

        var away = new Migration(
            from, new MeddledStore(memory, static _ => throw new IOException("It is away.")), static key => key, isRefresh: false, isDryRun: false,
            TimeProvider.System);
        await Assert.ThrowsAsync<IOException>(
            () => away.RunAsync(Checkpoint.Beginning, static _ => Task.CompletedTask, static () => { }, static (_, _) => { }, Token));
    }

    private static OpenStore Open(ToolStore store)
    {
        var address = StoreAddress.Parse(store.Address);
        return StoreFactory.Open(
            new StoreDescription(address, Layout.Find(address.Database, store.Layout), store.Settings),
            new ToolConsole(TextWriter.Null, TextWriter.Null, TextReader.Null));
    }

    private static async Task<(int Copied, int Kept)> CopiedAndKeptAsync(string[] arguments)
    {
        var run = await ToolRun.JsonAsync(arguments);
        return ((int)run["copied"]!, (int)run["kept"]!);
    }

    /// <summary>Something happens just before each record is created.</summary>
    private sealed class MeddledStore(MemorySessionStore inner, Func<string, Task> meddle) : ISessionStore
    {
        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => inner.ReadAsync(key, cancellationToken);

        public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
        {
            await meddle(key);
            return await inner.CreateAsync(key, record, cancellationToken);
        }

        public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
            inner.ReplaceAsync(key, current, next, cancellationToken);

        public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
            inner.TouchAsync(key, current, expiresAt, cancellationToken);

        public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
            inner.DeleteAsync(key, current, cancellationToken);
    }
}
