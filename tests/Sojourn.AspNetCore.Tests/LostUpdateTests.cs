using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Sojourn.Sqlite;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

public sealed class LostUpdateTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sojourn-lost-update-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("memory")]
    [InlineData("sqlite")]
    public async Task Two_hundred_parallel_requests_lose_nothing(string kind)
    {
        var store = Store(kind);
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/count", (Session session) => session.Update<int>("count", count => count + 1));
                app.MapPost("/entry/{i:int}", (Session session, int i) => session.Set(string.Create(CultureInfo.InvariantCulture, $"entry{i}"), i));
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
                app.MapGet(
                    "/entries",
                    (Session session) =>
                        session.Names.Count(
                            name =>
                                name.StartsWith("entry", StringComparison.Ordinal)
                                    && session.Get<int>(name).ToString(CultureInfo.InvariantCulture) == name[5..]));
            },
            store);
        using var client = app.NewClient();
        (await client.PostAsync("/entry/0", null, Token)).EnsureSuccessStatusCode();
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => client.PostAsync(i % 2 == 0 ? "/count" : $"/entry/{i / 2}", null, Token)));
        Assert.All(answers, answer => Assert.True(answer.IsSuccessStatusCode));
        Assert.Equal("100", await client.GetStringAsync("/count", Token));
        Assert.Equal("100", await client.GetStringAsync("/entries", Token));
        await ((store as IAsyncDisposable)?.DisposeAsync() ?? default);
    }

    [Fact]
    public async Task A_slow_handler_does_not_undo_what_others_did_meanwhile()
    {
        var arrived = new TaskCompletionSource();
        var released = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapPost("/slow", async (Session session) =>
            {
                session.Set("a", "slow");
                arrived.SetResult();
                await released.Task;
            });
            app.MapPost("/{name}", (Session session, string name) => session.Set(name, "quick"));
            app.MapGet("/", (Session session) => $"{session.Get<string>("a")} {session.Get<string>("b")}");
        });
        using var client = app.NewClient();
        await client.PostAsync("/a", null, Token);
        var slow = client.PostAsync("/slow", null, Token);
        await arrived.Task;
        await client.PostAsync("/b", null, Token);
        released.SetResult();
        (await slow).EnsureSuccessStatusCode();
        Assert.Equal("slow quick", await client.GetStringAsync("/", Token));
    }

    [Fact]
    public async Task An_object_changed_in_place_is_saved_without_a_Set()
    {
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapPost("/cart", (Session session) => session.Set("cart", new List<string>()));
            app.MapPost("/cart/{item}", (Session session, string item) => session.Get<List<string>>("cart")!.Add(item));
            app.MapGet("/cart", (Session session) => string.Join(',', session.Get<List<string>>("cart")!));
        });
        using var client = app.NewClient();
        await client.PostAsync("/cart", null, Token);
        await client.PostAsync("/cart/a", null, Token);
        await client.PostAsync("/cart/b", null, Token);
        Assert.Equal("a,b", await client.GetStringAsync("/cart", Token));
    }

    private ISessionStore Store(string kind) => kind == "memory"
        ? new MemorySessionStore()
        : new SqliteSessionStore($"Data Source={Path.Combine(_directory.FullName, "sessions.db")}");
}
