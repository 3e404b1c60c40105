using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The session's verbs, as a browser meets them.</summary>
public sealed class SessionVerbTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Renewing_keeps_the_data_and_kills_the_old_cookie()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var old = await SetAsync(client);
        using var renewed = await SendAsync(client, "/renew", old);
        var fresh = CookieOf(renewed);
        Assert.NotEqual(old, fresh);
        Assert.Equal("Ada", await ReadAsync(client, "/get", fresh));
        Assert.Equal("nobody", await ReadAsync(client, "/get", old));
    }

    [Fact]
    public async Task Signing_in_renews_the_id_and_sets_the_subject()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var old = await SetAsync(client);
        using var renewed = await SendAsync(client, "/in", old);
        var fresh = CookieOf(renewed);
        Assert.Equal("user-1", await ReadAsync(client, "/who", fresh));
        Assert.Equal("nobody", await ReadAsync(client, "/who", old));
    }

    [Fact]
    public async Task Regenerating_begins_an_empty_session_under_a_new_id()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var old = await SetAsync(client);
        using var regenerated = await SendAsync(client, "/regenerate", old);
        var fresh = CookieOf(regenerated);
        Assert.NotEqual(old, fresh);
        Assert.Equal("nobody", await ReadAsync(client, "/get", fresh));
        Assert.Equal("yes", await ReadAsync(client, "/fresh", fresh));
        Assert.Equal("nobody", await ReadAsync(client, "/get", old));
    }

    [Theory]
    [InlineData(UnsetBehavior.Keep, "Ada")]
    [InlineData(UnsetBehavior.Destroy, "nobody")]
    public async Task Unset_follows_its_option(UnsetBehavior unset, string expected)
    {
        await using var app = await StartAsync(options: o => o.Unset = unset);
        using var client = app.NewBareClient();
        var cookie = await SetAsync(client);
        using var response = await SendAsync(client, "/unset", cookie);
        Assert.Equal(unset == UnsetBehavior.Destroy, response.Headers.Contains("Set-Cookie"));
        Assert.Equal(expected, await ReadAsync(client, "/get", cookie));
    }

    [Fact]
    public async Task A_flash_is_gone_after_the_next_request_that_reads_it()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetStringAsync("/flash", Token);
        await client.GetStringAsync("/get", Token);
        Assert.Equal("saved!", await client.GetStringAsync("/flashed", Token));
        Assert.Equal("none", await client.GetStringAsync("/flashed", Token));
    }

    [Fact]
    public async Task Of_parallel_requests_that_pop_one_wins()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        var popped = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.GetStringAsync("/pop-async", Token)));
        Assert.Single(popped, "Ada");
        await client.GetStringAsync("/set", Token);
        Assert.Equal("Ada", await client.GetStringAsync("/pop", Token));
        Assert.Equal("none", await client.GetStringAsync("/pop", Token));
    }

    [Fact]
    public async Task Parallel_tasks_share_one_fetch_and_the_value_is_kept_for_its_lifetime()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var fetches = 0;
        await using var app = await StartAsync(time: time, more: app => app.MapGet("/rate", async (Session session) =>
        {
            var values = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => session.GetOrCreateAsync(
                "rate",
                async _ =>
                {
                    await Task.Yield();
                    return Interlocked.Increment(ref fetches);
                },
                TimeSpan.FromMinutes(5)).AsTask()));
            return string.Join(' ', values.Distinct());
        }));
        using var client = app.NewClient();
        Assert.Equal("1", await client.GetStringAsync("/rate", Token));
        time.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal("1", await client.GetStringAsync("/rate", Token));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("2", await client.GetStringAsync("/rate", Token));
    }

    [Fact]
    public async Task Touch_moves_the_deadline_however_fresh_it_is()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var store = new FaultInjectingStore(new MemorySessionStore(timeProvider: time));
        await using var app = await StartAsync(store, time: time);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        time.Advance(TimeSpan.FromSeconds(5));
        await client.GetStringAsync("/get", Token);
        Assert.Equal(0, store.CallsOf(StoreVerb.Touch));
        await client.GetStringAsync("/touch", Token);
        Assert.Equal(1, store.CallsOf(StoreVerb.Touch));
    }

    [Fact]
    public async Task A8_A_session_ends_when_it_is_not_used_for_the_idle_time()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var app = await StartAsync(time: time);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        for (var i = 0; i < 3; i++)
        {
            time.Advance(TimeSpan.FromMinutes(15));
            Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
        }

        time.Advance(TimeSpan.FromMinutes(21));
        Assert.Equal("nobody", await client.GetStringAsync("/get", Token));
    }

    [Fact]
    public async Task A9_Renewing_does_not_move_the_absolute_deadline()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var app = await StartAsync(time: time, options: o => o.AbsoluteTimeout = TimeSpan.FromMinutes(30));
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        time.Advance(TimeSpan.FromMinutes(15));
        (await client.GetAsync("/renew", Token)).EnsureSuccessStatusCode();
        time.Advance(TimeSpan.FromMinutes(14));
        Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("nobody", await client.GetStringAsync("/get", Token));
    }

    [Fact]
    public async Task A_visitor_who_only_reads_costs_no_record_and_no_cookie()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        using var response = await client.GetAsync("/get", Token);
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.Equal(0, store.Calls);
    }

    [Fact]
    public async Task SaveUninitialized_stores_a_new_session_that_nothing_was_put_into()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store, o => o.SaveUninitialized = true);
        using var client = app.NewClient();
        using var response = await client.GetAsync("/get", Token);
        Assert.Single(response.Headers.GetValues("Set-Cookie"));
        Assert.Equal(1, store.CallsOf(StoreVerb.Create));
        await client.GetStringAsync("/get", Token);
        Assert.Equal(1, store.CallsOf(StoreVerb.Create));
    }

    [Fact]
    public async Task Resave_writes_a_session_that_did_not_change()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store, o => o.Resave = true);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        Assert.Equal(0, store.CallsOf(StoreVerb.Replace));
        await client.GetStringAsync("/get", Token);
        Assert.Equal(1, store.CallsOf(StoreVerb.Replace));
    }

    [Fact]
    public async Task An_entry_of_another_type_is_named_and_kept()
    {
        SessionEntryException? thrown = null;
        await using var app = await StartAsync(more: app => app.MapGet("/wrong", (Session session) =>
        {
            thrown = Assert.Throws<SessionEntryException>(() => session.Get<int>("name"));
        }));
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        (await client.GetAsync("/wrong", Token)).EnsureSuccessStatusCode();
        Assert.Equal("name", thrown!.Name);
        Assert.Equal(typeof(int), thrown.Type);
        Assert.Equal("$", thrown.Path);
        Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
    }

    [Fact]
    public async Task V10_A_session_that_grew_too_large_fails_and_the_stored_one_stays()
    {
        await using var app = await StartAsync(options: o => o.MaxDocumentBytes = 2048, more: app => app.MapGet("/large", (Session session) =>
        {
            session.Set("large", new string('x', 4096));
            session.Set("name", "Grace");
        }));
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        using var response = await client.GetAsync("/large", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
    }

    [Fact]
    public async Task A42_A_document_that_cannot_be_read_is_kept_and_the_visitor_goes_on_afresh()
    {
        var store = new MemorySessionStore();
        await using var app = await StartAsync(store);
        using var client = app.NewBareClient();
        var cookie = await SetAsync(client);
        var (key, record) = Assert.Single(await store.PageAsync(null, 10, Token));
        var broken = new SessionRecord(Encoding.UTF8.GetBytes("not JSON"), record.ExpiresAt);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync(key, record, broken, Token)).Outcome);
        using var response = await SendAsync(client, "/set", cookie);
        Assert.NotEqual(cookie, CookieOf(response));
        Assert.Equal("not JSON", Encoding.UTF8.GetString((await store.ReadAsync(key, Token))!.Document.Span));
    }

    private static Task<TestApp> StartAsync(
        ISessionStore? store = null, Action<SojournOptions>? options = null, TimeProvider? time = null,
        Action<WebApplication>? more = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/set", (Session session) => session.Set("name", "Ada"));
            app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet("/renew", async (Session session) => await session.RenewIdAsync());
            app.MapGet("/in", async (Session session) => await session.SignInAsync("user-1"));
            app.MapGet("/who", (Session session) => session.Subject ?? "nobody");
            app.MapGet("/regenerate", async (Session session) =>
            {
                await session.RegenerateAsync();
                session.Set("fresh", "yes");
            });
            app.MapGet("/fresh", (Session session) => session.Get<string>("fresh") ?? "no");
            app.MapGet("/unset", (Session session) => session.Unset());
            app.MapGet("/flash", (Session session) => session.Flash("message", "saved!"));
            app.MapGet("/flashed", (Session session) => session.Get<string>("message") ?? "none");
            app.MapGet("/pop", (Session session) => session.Pop<string>("name") ?? "none");
            app.MapGet("/pop-async", async (Session session) => await session.PopAsync<string>("name") ?? "none");
            app.MapGet("/touch", (Session session) => session.Touch());
            more?.Invoke(app);
        },
        store,
        options,
        time: time);

    private static async Task<string> SetAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/set", Token);
        return CookieOf(response);
    }

    private static string CookieOf(HttpResponseMessage response) =>
        Assert.Single(response.EnsureSuccessStatusCode().Headers.GetValues("Set-Cookie")).Split(';')[0];

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Cookie", cookie } } };
        return await client.SendAsync(request, Token);
    }

    private static async Task<string> ReadAsync(HttpClient client, string path, string cookie)
    {
        using var response = await SendAsync(client, path, cookie);
        return await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
    }
}
