using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Gone is gone: a dead id never answers again, whatever slow requests still do with it.</summary>
public sealed class ResurrectionTests
{
    private static readonly int Rounds = int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACE_ROUNDS"), out var rounds) ? rounds : 200;

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly MemorySessionStore _store = new();
    private TaskCompletionSource _arrived = new();
    private TaskCompletionSource _released = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("destroy")]
    [InlineData("renew")]
    [InlineData("expire")]
    public async Task A10_V1_V2_A_slow_writer_gets_409_and_a_slow_reader_its_answer_and_neither_revives_the_id(string end)
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        foreach (var (verb, expected) in new[] { ("write", HttpStatusCode.Conflict), ("read", HttpStatusCode.OK) })
        {
            (_arrived, _released) = (new TaskCompletionSource(), new TaskCompletionSource());
            var cookie = await BeginAsync(client);
            var slow = SendAsync(client, $"/slow-{verb}", cookie);
            await _arrived.Task;
            await EndAsync(client, end, cookie);
            _released.SetResult();
            using var answer = await slow;
            Assert.Equal(expected, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
            if (expected == HttpStatusCode.Conflict)
            {
                Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
                Assert.Contains("urn:sojourn:session-ended", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
            }

            await AssertDeadAsync(client, cookie);
        }
    }

    [Theory]
    [InlineData("destroy")]
    [InlineData("renew")]
    [InlineData("expire")]
    public async Task V1_Ends_raced_against_writers_are_final(string end)
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        for (var round = 0; round < Rounds; round++)
        {
            var cookie = await BeginAsync(client);
            var writers = Enumerable.Range(0, 3).Select(_ => SendAsync(client, "/write", cookie)).ToList();
            await EndAsync(client, end, cookie);
            foreach (var answer in await Task.WhenAll(writers))
            {
                // 200: before the end, or as a stranger after it.
                Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Conflict, answer.StatusCode.ToString());
            }

            await AssertDeadAsync(client, cookie);
        }
    }

    private async Task EndAsync(HttpClient client, string end, string cookie)
    {
        if (end == "expire")
        {
            _time.Advance(TimeSpan.FromMinutes(20));
            return;
        }

        using var answer = await SendAsync(client, "/" + end, cookie);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(answer.Headers.Contains("Set-Cookie"));
    }

    private static async Task AssertDeadAsync(HttpClient client, string cookie)
    {
        using var answer = await SendAsync(client, "/read", cookie);
        Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
        using var writer = await SendAsync(client, "/write", cookie);
        Assert.NotEqual(cookie, writer.Headers.GetValues("Set-Cookie").Single().Split(';')[0]);
    }

    private static async Task<string> BeginAsync(HttpClient client)
    {
        using var answer = await SendAsync(client, "/begin", cookie: null);
        return answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string? cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }

        return await client.SendAsync(request, Token);
    }

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
        app =>
        {
            app.MapPost("/begin", (Session session) => session.Set("user", "ada"));
            app.MapPost("/read", (Session session) => session.Get<string>("user") ?? "nobody");
            app.MapPost("/write", (Session session) => session.Update<int>("count", count => count + 1));
            app.MapPost("/destroy", async (Session session) => await session.DestroyAsync());
            app.MapPost("/renew", async (Session session) => await session.RenewIdAsync());
            app.MapPost("/slow-write", async (Session session) =>
            {
                session.Set("late", true);
                _arrived.SetResult();
                await _released.Task;
            });
            app.MapPost("/slow-read", async (Session session) =>
            {
                _arrived.SetResult();
                await _released.Task;
                return session.Get<string>("user");
            });
        },
        _store,
        time: _time);
}
