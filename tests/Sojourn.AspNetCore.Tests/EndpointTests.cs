using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What an endpoint says of the session, and that it is kept to.</summary>
public sealed class EndpointTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_a_session_no_store_is_asked_and_resolving_one_says_why()
    {
        string? message = null;
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store, app => app.MapGet("/none", (HttpContext context) =>
        {
            message = Assert.Throws<InvalidOperationException>(() => context.RequestServices.GetRequiredService<Session>()).Message;
            Assert.Throws<InvalidOperationException>(() => context.GetSession());
        }).WithoutSession());
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        store.ResetCounts();
        (await client.GetAsync("/none", Token)).EnsureSuccessStatusCode();
        Assert.Equal(0, store.Calls);
        Assert.Contains("WithoutSession", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_only_session_refuses_writes()
    {
        await using var app = await StartAsync(more: app =>
        {
            app.MapGet("/read", (Session session) =>
            {
                Assert.Throws<InvalidOperationException>(() => session.Set("name", "Grace"));
                return session.Get<string>("name");
            }).WithReadOnlySession();
            app.MapGet("/mutate", (Session session) => session.Get<List<string>>("list")!.Add("b")).WithReadOnlySession();
            app.MapGet("/list", (Session session) => string.Join(',', session.Get<List<string>>("list")!));
        });
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        Assert.Equal("Ada", await client.GetStringAsync("/read", Token));
        Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
        using var mutated = await client.GetAsync("/mutate", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, mutated.StatusCode);
        Assert.Equal("a", await client.GetStringAsync("/list", Token));
    }

    [Fact]
    public async Task Exclusive_requests_of_one_session_run_one_after_another()
    {
        var inside = 0;
        await using var app = await StartAsync(more: app => app.MapGet("/exclusive", async (Session session) =>
        {
            Assert.Equal(1, Interlocked.Increment(ref inside));
            var count = session.Get<int>("count");
            await Task.Delay(5);
            session.Set("count", count + 1);
            Interlocked.Decrement(ref inside);
            return count;
        }).WithExclusiveSession());
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        var counts = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.GetStringAsync("/exclusive", Token)));
        Assert.Equal(10, counts.Distinct().Count());
    }

    [Fact]
    public async Task Waiting_for_an_exclusive_session_ends_with_503()
    {
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(
            options: o => o.ExclusiveTimeout = TimeSpan.FromMilliseconds(100),
            more: app => app.MapGet("/exclusive", async () =>
            {
                entered.TrySetResult();
                await release.Task;
            }).WithExclusiveSession());
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        var first = client.GetAsync("/exclusive", Token);
        await entered.Task;
        using var second = await client.GetAsync("/exclusive", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, second.StatusCode);
        Assert.True(second.Headers.Contains("Retry-After"));
        release.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }

    [Fact]
    public async Task The_attribute_speaks_for_controllers_and_the_action_has_the_last_word()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await TestApp.StartAsync(
            app => app.MapControllers(),
            store,
            services: services => services.AddControllers());
        using var client = app.NewClient();
        await client.GetStringAsync("/use/write", Token);
        store.ResetCounts();
        Assert.Equal("no session", await client.GetStringAsync("/use/none", Token));
        Assert.Equal(0, store.Calls);
    }

    [Fact]
    public async Task What_an_endpoint_says_too_late_is_an_error()
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseSojourn();
                app.UseRouting();
                app.MapGet("/late", () => "late").WithReadOnlySession();
            },
            useSojourn: false,
            useRouting: false);
        using var client = app.NewClient();
        using var response = await client.GetAsync("/late", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
    }

    private static Task<TestApp> StartAsync(
        ISessionStore? store = null, Action<WebApplication>? more = null, Action<SojournOptions>? options = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/set", (Session session) =>
            {
                session.Set("name", "Ada");
                session.Set<List<string>>("list", ["a"]);
            });
            app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
            more?.Invoke(app);
        },
        store,
        options);
}

[SessionUse(SessionUse.None)]
public sealed class SessionUseController : ControllerBase
{
    [HttpGet("/use/none")]
    public string None() => HttpContext.Features.Get<ISessionFeature>() is null ? "no session" : "a session";

    [HttpGet("/use/write")]
    [SessionUse(SessionUse.ReadWrite)]
    public void Write() => HttpContext.GetSession().Set("name", "Ada");
}
