using System.Text.Json.Nodes;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;
using Sojourn.Tool;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>sojourn watch.</summary>
public sealed class ToolWatchTests(RedisServer redis, PostgresServer postgres, MariaDbServer mysql, MongoServer mongo) : IDisposable
{
    private readonly ToolStores _stores = new(redis, postgres, mysql, mongo);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _stores.Dispose();

    [Theory]
    [InlineData("redis")]
    [InlineData("postgres")]
    [InlineData("mongodb")]
    public async Task What_the_store_tells_is_printed_as_it_comes(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        var session = await app.NewSessionAsync("ada");
        var handle = session.Handle;
        var lines = await WatchAsync(store, [], async output =>
        {
            session.Set("cart", new[] { "plum" });
            await app.Sessions.CommitAsync(session, Token);
            await output.ContainsAsync("\"changed\"");
            await session.DestroyAsync(Token);
            await output.ContainsAsync("\"ended\"");
        });
        Assert.Equal(["changed", "ended"], lines.Select(line => (string?)line["kind"]).Distinct());
        Assert.All(lines, line => Assert.Equal(handle, (string?)line["session"]));
        Assert.Equal("ada", (string?)lines[0]["subject"]);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("connect-redis")]
    public async Task Stores_that_tell_nothing_are_looked_at_again_and_again(string kind)
    {
        var store = await _stores.NewAsync(kind);
        await using var app = await store.StartAsync();
        Assert.Equal(2, (await ToolRun.RunAsync(["watch", .. store.Options()])).Code);
        var lines = await WatchAsync(store, ["--poll", "00:00:00.2"], async output =>
        {
            var session = await app.NewSessionAsync(null);
            await output.ContainsAsync("\"created\"");
            session = (await app.Sessions.LoadAsync(session.Id, Token))!;
            session.Set("cart", new[] { "plum" });
            await app.Sessions.CommitAsync(session, Token);
            await output.ContainsAsync("\"changed\"");
            await session.DestroyAsync(Token);
            await output.ContainsAsync("\"ended\"");
            Assert.DoesNotContain(session.Id, output.ToString(), StringComparison.Ordinal);
        });
        Assert.Equal(["created", "changed", "ended"], lines.Select(line => (string?)line["kind"]));
        Assert.Single(lines.Select(line => (string?)line["session"]).Distinct());
    }

    private static async Task<List<JsonNode>> WatchAsync(ToolStore store, string[] arguments, Func<WatchedText, Task> act)
    {
        await using var output = new WatchedText();
        await using var error = new WatchedText();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var watching = CommandLine.RunAsync(["watch", "--json", .. arguments, .. store.Options()], new ToolConsole(output, error, TextReader.Null), stop.Token);
        await error.ContainsAsync("Listening.");
        await act(output);
        await stop.CancelAsync();
        Assert.Equal(0, await watching);
        return [.. output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }
}
