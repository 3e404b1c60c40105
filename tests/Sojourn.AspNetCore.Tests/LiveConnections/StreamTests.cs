using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Sojourn.AspNetCore.Tests.LiveConnections;

/// <summary>Server-sent events, JSON streams and long requests.</summary>
public sealed class StreamTests
{
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/events")]
    [InlineData("/deaf-events")]
    public async Task O31_V25_When_the_session_ends_its_event_streams_do_whatever_they_wait_for_and_others_go_on(string path)
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var bob = await app.SignInAsync("bob");
        await using var events = await OpenAsync(ada, path);
        await using var bobs = await OpenAsync(bob, path);
        Assert.Equal("1", await events.NextAsync());
        Assert.Equal("1", await bobs.NextAsync());

        await app.EndAsync();

        Assert.Null(await events.NextAsync());
        var next = bobs.NextAsync();
        Assert.NotSame(next, await Task.WhenAny(next, Task.Delay(100, Token)));
    }

    [Fact]
    public async Task The_source_hears_of_the_end_and_cleans_up()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        await using var events = await OpenAsync(ada, "/events");
        await events.NextAsync();
        await app.EndAsync();
        await _left.Task.WaitAsync(LiveApp.Patience, Token);
    }

    [Fact]
    public async Task The_source_hears_of_a_client_that_went_away()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        await using (var events = await OpenAsync(ada, "/events"))
        {
            await events.NextAsync();
        }

        await _left.Task.WaitAsync(LiveApp.Patience, Token);
    }

    [Fact]
    public async Task A_stream_that_ends_by_itself_or_fails_does_so()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        Assert.Equal("[1,2,3]", await ada.GetStringAsync("/three", Token));
        Assert.Equal(HttpStatusCode.InternalServerError, (await ada.GetAsync(new Uri("/fails", UriKind.Relative), Token)).StatusCode);
    }

    [Fact]
    public async Task A_JSON_stream_is_whole_when_the_session_ends()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var answer = await ada.GetAsync(new Uri("/json", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Token);
        await app.EndAsync();
        Assert.Equal("[1]", await answer.Content.ReadAsStringAsync(Token).WaitAsync(LiveApp.Patience, Token));
    }

    [Fact]
    public async Task A_long_request_waits_for_the_end_by_the_token()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        var answer = ada.GetStringAsync("/waits", Token);
        while (await ada.GetStringAsync("/waiting", Token) == "0")
        {
        }

        await app.EndAsync();
        Assert.Equal("ended", await answer.WaitAsync(LiveApp.Patience, Token));
    }

    [Fact]
    public async Task A_session_that_the_stream_began_is_watched_as_well()
    {
        await using var app = await StartAsync();
        using var visitor = app.NewClient();
        await using var events = await OpenAsync(visitor, "/begins");
        Assert.Equal("1", await events.NextAsync());
        await LiveApp.PostAsync(visitor, "/out");
        Assert.Null(await events.NextAsync());
    }

    [Fact]
    public async Task O23_A_page_asks_how_long_the_session_lives_without_prolonging_it_and_a_stream_does_not_unless_asked_to()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var app = await StartAsync(time);
        using var ada = await app.SignInAsync();
        using var bob = await app.SignInAsync("bob");
        await using var events = await OpenAsync(ada, "/events");
        await using var kept = await OpenAsync(bob, "/keeps");
        Assert.Equal(("1", "1"), (await events.NextAsync(), await kept.NextAsync()));
        var deadline = await ada.GetStringAsync("/expires", Token);
        for (var minute = 0; minute < 19; minute++)
        {
            await app.AMinuteLaterAsync(time, keptAlive: "bob");
            Assert.Equal(deadline, await ada.GetStringAsync("/expires", Token));
        }

        for (var minute = 0; minute < 10; minute++)
        {
            await app.AMinuteLaterAsync(time, keptAlive: "bob");
        }

        Assert.Null(await events.NextAsync());
        Assert.Equal("nobody", await ada.GetStringAsync("/who", Token));
        Assert.Equal("bob", await bob.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task O23_A_write_of_a_call_that_is_no_activity_is_saved_and_the_deadline_stays()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var app = await StartAsync(time);
        using var ada = await app.SignInAsync();
        var deadline = await ada.GetStringAsync("/expires", Token);
        time.Advance(TimeSpan.FromMinutes(10));
        await LiveApp.PostAsync(ada, "/seen");
        Assert.Equal(deadline, await ada.GetStringAsync("/expires", Token));
        Assert.Equal("1", await ada.GetStringAsync("/number/seen", Token));
        Assert.NotEqual(deadline, await ada.GetStringAsync("/expires", Token));
    }

    private Task<TestApp> StartAsync(TimeProvider? time = null)
    {
        var waiting = 0;
        return TestApp.StartAsync(
            app =>
            {
                app.MapSigningIn();
                app.MapGet("/events", (Session session) => TypedResults.ServerSentEvents(OneAndNoMore(listens: true).UntilEnded(session)));
                app.MapGet("/deaf-events", (Session session) => TypedResults.ServerSentEvents(OneAndNoMore(listens: false).UntilEnded(session)));
                app.MapGet("/keeps", (Session session) => TypedResults.ServerSentEvents(OneAndNoMore(listens: true).UntilEnded(session, keepAlive: true)));
                app.MapGet("/begins", (Session session) =>
                {
                    session.Set("here", true);
                    return TypedResults.ServerSentEvents(OneAndNoMore(listens: true).UntilEnded(session));
                });
                app.MapGet("/json", (Session session) => OneAndNoMore(listens: true).UntilEnded(session));
                app.MapGet("/three", (Session session) => new[] { 1, 2, 3 }.ToAsyncEnumerable().UntilEnded(session));
                app.MapGet("/fails", (Session session) => Failing().UntilEnded(session));
                app.MapGet("/waits", async (Session session) =>
                {
                    Interlocked.Increment(ref waiting);
                    await Task.Delay(Timeout.Infinite, session.Ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    return "ended";
                });
                app.MapGet("/waiting", () => waiting).WithoutSession();
                app.MapGet("/expires", (Session session) => session.ExpiresAt.ToString("O")).WithoutActivity();
                app.MapPost("/seen", (Session session) => session.Update<int>("seen", static seen => seen + 1)).WithoutActivity();
            },
            options: o => (o.IdleTimeout, o.TouchInterval) = (TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(1)),
            time: time);
    }

    private async IAsyncEnumerable<int> OneAndNoMore(bool listens, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return 1;
            await Task.Delay(Timeout.Infinite, listens ? cancellationToken : CancellationToken.None);
        }
        finally
        {
            _left.TrySetResult();
        }
    }

    private static async IAsyncEnumerable<int> Failing()
    {
        await Task.Yield();
        throw new InvalidTimeZoneException();
#pragma warning disable CS0162 // What makes it a stream.
        yield return 1;
#pragma warning restore CS0162
    }

    private static async Task<EventReader> OpenAsync(HttpClient client, string path)
    {
        var answer = await client.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Token);
        answer.EnsureSuccessStatusCode();
        return new EventReader(answer, SseParser.Create(await answer.Content.ReadAsStreamAsync(Token)).EnumerateAsync(Token).GetAsyncEnumerator(Token));
    }

    private sealed class EventReader(HttpResponseMessage answer, IAsyncEnumerator<SseItem<string>> events) : IAsyncDisposable
    {
        /// <summary>The next event's data; <see langword="null"/> at the end of the stream.</summary>
        public async Task<string?> NextAsync() => await events.MoveNextAsync().AsTask().WaitAsync(LiveApp.Patience, Token) ? events.Current.Data : null;

        public ValueTask DisposeAsync()
        {
            answer.Dispose();
            return default;
        }
    }
}
