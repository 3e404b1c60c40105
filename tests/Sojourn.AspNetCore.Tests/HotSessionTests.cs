using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>One session that a thousand requests change at once, while others go about their business.</summary>
public sealed class HotSessionTests
{
    private const int Writers = 1000;
    private const int Others = 50;
    private const int ReadsEach = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_thousand_parallel_writers_of_one_session_all_land_and_others_read_on()
    {
        var arrived = 0;
        var together = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/begin", (Session session) => session.Set("count", 0));
                app.MapPost("/count", async (Session session) =>
                {
                    // All of them have read the session before the first one changes it.
                    if (Interlocked.Increment(ref arrived) == Writers) together.SetResult();
                    await together.Task.WaitAsync(Token);
                    session.Update<int>("count", static count => count + 1);
                });
                app.MapGet("/count", (Session session) => session.Get<int?>("count") ?? -1);
            },
            store);
        using var hot = app.NewClient();
        (await hot.PostAsync("/begin", null, Token)).EnsureSuccessStatusCode();
        var others = await Task.WhenAll(Enumerable.Range(0, Others).Select(async _ =>
        {
            var client = app.NewClient();
            (await client.PostAsync("/begin", null, Token)).EnsureSuccessStatusCode();
            return client;
        }));
        store.ResetCounts();

        var writers = Enumerable.Range(0, Writers).Select(_ => hot.PostAsync("/count", null, Token)).ToList();
        await Task.WhenAll(others.Select(async client =>
        {
            for (var read = 0; read < ReadsEach; read++) Assert.Equal("0", await client.GetStringAsync("/count", Token));
        }));
        var answers = await Task.WhenAll(writers);

        Assert.All(answers, static answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        // Commits of one process queue and hand the fresh record on; only one that finds nobody before it can have an old one, and is done again, once.
        Assert.InRange(store.CallsOf(StoreVerb.Replace), Writers, 2 * Writers);
        Assert.Equal(Writers + (Others * ReadsEach), store.CallsOf(StoreVerb.Read));
        Assert.Equal(Writers.ToString(CultureInfo.InvariantCulture), await hot.GetStringAsync("/count", Token));
        foreach (var client in others) client.Dispose();
    }
}
