using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>What an operator does by the command line, on every store and layout.</summary>
public sealed class ToolStoreTests(RedisServer redis, PostgresServer postgres, MariaDbServer mysql, MongoServer mongo) : IDisposable
{
    private readonly ToolStores _stores = new(redis, postgres, mysql, mongo);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Kinds => [.. ToolStores.All];

    public void Dispose() => _stores.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Sessions_are_listed_shown_and_counted_and_nothing_printed_opens_one(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        var (ada, other, nobody) = (await app.NewSessionAsync("ada", "pear"), await app.NewSessionAsync("ada"), await app.NewSessionAsync(null));
        var printed = new List<string>();
        async Task<ToolRun> RunAsync(params string[] arguments)
        {
            var run = await ToolRun.RunAsync([.. arguments, .. store.Options()]);
            printed.Add(run.Output + run.Error);
            return run;
        }

        var list = await RunAsync("list");
        Assert.Equal(0, list.Code);
        Assert.Equal(4, list.Output.TrimEnd().Split('\n').Length);
        Assert.Contains(ada.Handle!, list.Output, StringComparison.Ordinal);
        var sessions = (await RunAsync("list", "--json")).Json["sessions"]!.AsArray();
        Assert.Equal(["ada", "ada", null], sessions.Select(session => (string?)session!["subject"]).OrderByDescending(subject => subject is not null));
        var anonymous = sessions.Single(session => session!["subject"] is null)!["fingerprint"]!.GetValue<string>();

        foreach (var name in new[] { ada.Handle!, (string)sessions.Single(session => (string?)session!["handle"] == ada.Handle)!["fingerprint"]! })
        {
            var shown = await RunAsync("show", name);
            Assert.Equal(0, shown.Code);
            Assert.Contains("cart", shown.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("pear", shown.Output, StringComparison.Ordinal);
        }

        var values = (await RunAsync("show", ada.Handle!, "--values", "--json")).Json;
        Assert.Equal("pear", (string?)values["entries"]![0]!["value"]![0]);
        Assert.Contains("pear", (await RunAsync("show", ada.Handle!, "--values")).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("show", anonymous)).Code);
        Assert.Equal(1, (await RunAsync("show", "nobody-has-this")).Code);

        var stats = (await RunAsync("stats", "--json")).Json;
        Assert.Equal((3, 2, 1, 0), ((int)stats["alive"]!, (int)stats["signedIn"]!, (int)stats["subjects"]!, (int)stats["unreadable"]!));
        Assert.Equal(store.IsNative ? 0 : 2, (await RunAsync("list", "--subject", "ada")).Code);
        if (store.IsNative) Assert.Equal(2, (await RunAsync("list", "--subject", "ada", "--json")).Json["sessions"]!.AsArray().Count);
        Assert.True((bool)(await RunAsync("list", "--limit", "2", "--json")).Json["isCut"]!);

        foreach (var session in new[] { ada, other, nobody })
        {
            Assert.All(printed, text => Assert.DoesNotContain(session.Id, text, StringComparison.Ordinal));
            Assert.All(printed, text => Assert.DoesNotContain(session.Id[..12], text, StringComparison.Ordinal));
        }

        Assert.All(printed, text => Assert.DoesNotContain("secret@word", text, StringComparison.Ordinal));
        Assert.All(printed, text => Assert.DoesNotContain("secret%40word", text, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Sessions_are_ended_one_by_one_by_subject_and_all(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        var (ada, other, bob, nobody) =
            (await app.NewSessionAsync("ada"), await app.NewSessionAsync("ada"), await app.NewSessionAsync("bob"), await app.NewSessionAsync(null));
        Task<ToolRun> EndAsync(params string[] arguments) => ToolRun.RunAsync(["end", "--json", .. arguments, .. store.Options()]);

        var declined = await ToolRun.RunAsync(["end", "--handle", ada.Handle!, .. store.Options()], "no\n", cancellationToken: Token);
        Assert.Equal(4, declined.Code);
        Assert.NotNull(await app.CartAsync(ada.Id));
        var ended = await ToolRun.RunAsync(["end", "--handle", ada.Handle!, .. store.Options()], "yes\n", cancellationToken: Token);
        Assert.Equal((0, "1 session ended."), (ended.Code, ended.Output.Trim()));
        Assert.Null(await app.CartAsync(ada.Id));
        Assert.Equal(1, (await EndAsync("--handle", ada.Handle!, "--yes")).Code);

        var anonymous = (await ToolRun.JsonAsync(["list", .. store.Options()]))["sessions"]!.AsArray().Single(
            session => session!["subject"] is null)!["fingerprint"]!.GetValue<string>();
        Assert.Equal(1, (int)(await EndAsync("--handle", anonymous, "--yes")).Json["ended"]!);
        Assert.Null(await app.CartAsync(nobody.Id));

        var bySubject = await EndAsync("--subject", "ada", "--yes");
        if (store.IsNative)
        {
            Assert.Equal(1, (int)bySubject.Json["ended"]!);
            Assert.Null(await app.CartAsync(other.Id));
        }
        else
        {
            Assert.Equal(2, bySubject.Code);
            Assert.Contains("labels", bySubject.Error, StringComparison.Ordinal);
        }

        Assert.NotNull(await app.CartAsync(bob.Id));
        Assert.Equal(store.IsNative ? 1 : 2, (int)(await EndAsync("--everything", "--yes")).Json["ended"]!);
        Assert.Equal(0, (int)(await ToolRun.JsonAsync(["stats", .. store.Options()]))["alive"]!);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_has_expired_is_pruned(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        var alive = await app.NewSessionAsync(null);
        var old = await app.NewSessionAsync(null);
        var key = await KeyOfAsync(app, old.Id, store);
        var record = (await app.Store.ReadAsync(key, Token))!;

        var pruned = await ToolRun.JsonAsync(["prune", .. store.Options()]);
        Assert.Equal(0, (long)pruned["pruned"]!);
        if ((bool)pruned["byItself"]! || kind is "connect-mongo") return;   // MongoDB does it by an index.

        await app.Store.TouchAsync(key, record, TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(10), Token);
        Assert.Equal(1, (long)(await ToolRun.JsonAsync(["prune", .. store.Options()]))["pruned"]!);
        Assert.NotNull(await app.CartAsync(alive.Id));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("connect-pg-simple")]
    [InlineData("mysql")]
    [InlineData("express-mysql-session")]
    public async Task A_missing_table_is_told_with_its_script_and_made_by_schema(string kind)
    {
        var store = await _stores.NewAsync(kind);
        var missing = await ToolRun.RunAsync(["list", .. store.Options()]);
        Assert.Equal(3, missing.Code);
        Assert.Contains("CREATE", missing.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(3, (await ToolRun.RunAsync(["list", .. store.Options()])).Code);

        var script = await ToolRun.RunAsync(["schema", .. store.Options()]);
        Assert.Contains("CREATE ", script.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await ToolRun.RunAsync(["schema", "--apply", .. store.Options()])).Code);
        Assert.Equal(0, (await ToolRun.RunAsync(["schema", "--apply", .. store.Options()])).Code);
        Assert.Equal(0, (await ToolRun.RunAsync(["list", .. store.Options()])).Code);
    }

    [Theory]
    [InlineData("mongodb")]
    [InlineData("connect-mongo")]
    public async Task The_indexes_of_MongoDB_are_printed_and_made(string kind)
    {
        var store = await _stores.NewAsync(kind);
        Assert.Equal(3, (await ToolRun.RunAsync(["list", .. store.Options()])).Code);
        Assert.Contains("createIndex(", (await ToolRun.RunAsync(["schema", .. store.Options()])).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await ToolRun.RunAsync(["schema", "--apply", .. store.Options()])).Code);
        Assert.Equal(0, (await ToolRun.RunAsync(["list", .. store.Options()])).Code);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_bench_leaves_nothing_behind(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        var bench = await ToolRun.JsonAsync(["bench", "--sessions", "20", "--concurrency", "4", .. store.Options()]);
        Assert.Equal(["create", "read", "touch", "replace", "delete"], bench["verbs"]!.AsArray().Select(verb => (string?)verb!["verb"]));
        Assert.Equal(0, (int)(await ToolRun.JsonAsync(["stats", .. store.Options()]))["alive"]!);
    }

    [Fact]
    public async Task A_bench_that_is_interrupted_leaves_nothing_behind_either()
    {
        var store = await _stores.NewAsync("sqlite");
        await using var app = await store.StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var bench = ToolRun.RunAsync(["bench", "--sessions", "5000", .. store.Options()], null, null, stop.Token);
        while (await ((ISessionIndex)app.Store).CountAsync(Token) == 0) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        await stop.CancelAsync();
        Assert.Equal((130, ""), ((await bench).Code, (await bench).Output));
        Assert.Equal(0, await ((ISessionIndex)app.Store).CountAsync(Token));
    }

    [Fact]
    public async Task Sealed_sessions_are_counted_ended_and_moved_as_they_are()
    {
        var (store, target) = (WithEncryption(await _stores.NewAsync("sqlite")), WithEncryption(await _stores.NewAsync("redis")));
        await using var app = await store.StartAsync();
        var (ada, nobody) = (await app.NewSessionAsync("ada", "pear"), await app.NewSessionAsync(null, "fig"));
        var list = await ToolRun.JsonAsync(["list", .. store.Options()]);
        Assert.Equal((0, 2), (list["sessions"]!.AsArray().Count, (int)list["unreadable"]!));
        Assert.Equal(2, (int)(await ToolRun.JsonAsync(["migrate", .. store.Options("from"), .. target.Options("to")]))["copied"]!);
        await using var moved = await target.StartAsync();
        Assert.Equal("fig", await moved.FirstOfCartAsync(nobody.Id));
        Assert.Equal(1, (int)(await ToolRun.JsonAsync(["end", "--subject", "ada", "--yes", .. target.Options()]))["ended"]!);
        Assert.Null(await moved.CartAsync(ada.Id));
    }

    [Fact]
    public async Task A_store_may_be_named_by_the_environment_and_by_a_URL()
    {
        var address = ToolStores.Url(await mysql.NewDatabaseAsync());
        Assert.Equal(0, (await ToolRun.RunAsync(["schema", "--apply"], null, name => name == "SOJOURN_STORE" ? address : null, Token)).Code);
        Assert.Equal(0, (await ToolRun.RunAsync(["list"], null, name => name == "SOJOURN_STORE" ? address : null, Token)).Code);
    }

    [Fact]
    public async Task A_store_that_is_away_is_a_failure_and_no_empty_list()
    {
        var port = ServerProcess.FreePort();
        foreach (var address in new[] { $"redis://127.0.0.1:{port}", $"postgres://u:hush@127.0.0.1:{port}/d", $"mysql://u:hush@127.0.0.1:{port}/d", $"mongodb://u:hush@127.0.0.1:{port}/d?serverSelectionTimeoutMS=500" })
        {
            var run = await ToolRun.RunAsync("list", "--store", address);
            Assert.Equal((3, ""), (run.Code, run.Output));
            Assert.NotEqual("", run.Error);
            Assert.DoesNotContain("hush", run.Error, StringComparison.Ordinal);
        }
    }

    private static ToolStore WithEncryption(ToolStore store) => store with
    {
        Use = builder =>
        {
            store.Use(builder);
            builder.WithEncryption(o => o.Keys.Add(new SessionEncryptionKey { Name = "k", Key = Convert.ToBase64String(new byte[32]) }));
        },
    };

    /// <summary>What the record is filed under, found by looking at all of them.</summary>
    private static async Task<string> KeyOfAsync(ToolApp app, string id, ToolStore store) =>
        store.IsNative ? new SessionId(ToolStores.ApplicationName).KeyOf(id) : await app.Store.ReadAsync(id, Token) is not null ? id : throw new InvalidOperationException();
}
