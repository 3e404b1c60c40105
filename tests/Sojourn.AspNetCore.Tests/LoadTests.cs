using System.Globalization;
using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>A session that is loaded on first use: what nobody looks at costs nothing, and nothing is lost by it.</summary>
public sealed class LoadTests
{
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_that_never_looks_at_its_session_costs_no_call_of_the_store_and_says_nothing_of_it()
    {
        await using var app = await StartAsync(app => app.MapGet("/plain", () => "plain"));
        using var client = await NewVisitorAsync(app);
        using var response = await client.GetAsync("/plain", Token);
        Assert.Equal("plain", await response.Content.ReadAsStringAsync(Token));
        Assert.Equal(0, _store.Calls);
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.Null(response.Headers.CacheControl);
        Assert.Empty(response.Headers.Vary);
    }

    [Theory]
    [InlineData("/parameter")]
    [InlineData("/entry")]
    [InlineData("/bag")]
    [InlineData("/said")]
    [InlineData("/read-only")]
    [InlineData("/exclusive")]
    [InlineData("/required")]
    [InlineData("/load/action")]
    [InlineData("/load/from-session")]
    [InlineData("/constructed")]
    public async Task An_endpoint_that_names_the_session_has_it_loaded_before_it_runs(string path)
    {
        await using var app = await StartAsync(app =>
        {
            app.MapControllers();
            app.MapGet("/parameter", (Session session) => session.Get<int>("count"));
            app.MapGet("/entry", (SessionEntry<int> count) => count.Value);
            app.MapGet("/bag", ([AsParameters] Bag bag) => bag.Session.Get<int>("count"));
            app.MapGet("/said", (Counter counter) => counter.Count).WithSession();
            app.MapGet("/read-only", (HttpContext context) => context.GetSession().Get<int>("count")).WithReadOnlySession();
            app.MapGet("/exclusive", (HttpContext context) => context.GetSession().Get<int>("count")).WithExclusiveSession();
            app.MapGet("/required", (HttpContext context) => context.GetSession().Get<int>("count")).RequireSession("count");
        });
        using var client = await NewVisitorAsync(app);
        Assert.Equal("1", await client.GetStringAsync(path, Token));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Read));
    }

    [Fact]
    public async Task Elsewhere_it_is_loaded_when_it_is_asked_for_once_whoever_asks()
    {
        await using var app = await StartAsync(app => app.MapGet("/tasks", (Delegate)(async (HttpContext context) =>
        {
            var sessions = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () => await context.GetSessionAsync())));
            Assert.Single(sessions.Distinct());
            Assert.Same(sessions[0], context.GetSession());
            Assert.Same(sessions[0], context.RequestServices.GetRequiredService<Session>());
            context.GetSession().Update<int>("count", count => count + 1);
        })));
        using var client = await NewVisitorAsync(app);
        const int Requests = 100;
        for (var request = 1; request <= Requests; request++)
        {
            (await client.GetAsync("/tasks", Token)).EnsureSuccessStatusCode();
            Assert.Equal(request, _store.CallsOf(StoreVerb.Read));
        }

        Assert.Equal((1 + Requests).ToString(CultureInfo.InvariantCulture), await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task A_visitor_who_comes_without_a_session_gets_one_at_the_first_use_that_is_worth_it()
    {
        await using var app = await StartAsync(app => app.MapGet("/begin", async (HttpContext context) => (await context.GetSessionAsync()).Set("count", 5)));
        using var client = app.NewClient();
        using var response = await client.GetAsync("/begin", Token);
        Assert.Single(response.Headers.GetValues("Set-Cookie"));
        Assert.Equal("5", await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task Looking_at_what_is_not_loaded_throws_and_names_the_fix()
    {
        var messages = new List<string>();
        await using var app = await StartAsync(app => app.MapGet("/sync", (HttpContext context) =>
        {
            foreach (var look in (Action[])[() => context.GetSession(), () => context.RequestServices.GetRequiredService<Session>(), () => context.Session.GetString("count")])
            {
                messages.Add(Assert.Throws<InvalidOperationException>(look).Message);
            }
        }));
        using var client = await NewVisitorAsync(app);
        (await client.GetAsync("/sync", Token)).EnsureSuccessStatusCode();
        Assert.Equal(3, messages.Count);
        Assert.All(messages, message => Assert.Contains("await context.GetSessionAsync()", message, StringComparison.Ordinal));
        Assert.All(messages, message => Assert.Contains(".WithSession()", message, StringComparison.Ordinal));
        Assert.Equal(0, _store.Calls);
    }

    [Fact]
    public async Task AspNetCores_own_session_is_loaded_by_its_LoadAsync()
    {
        await using var app = await StartAsync(app => app.MapGet("/own", async (HttpContext context) =>
        {
            Assert.False(context.Session.IsAvailable);
            await context.Session.LoadAsync(context.RequestAborted);
            Assert.True(context.Session.IsAvailable);
            return context.Session.GetString("count");
        }));
        using var client = await NewVisitorAsync(app);
        Assert.Equal("1", await client.GetStringAsync("/own", Token));
    }

    [Fact]
    public async Task A_store_that_fails_at_the_first_use_is_503_also_where_the_handler_catches_it()
    {
        await using var app = await StartAsync(app =>
        {
            app.MapGet("/plain", () => "plain");
            app.MapGet("/throws", async (HttpContext context) => (await context.GetSessionAsync()).Names.Count);
            app.MapGet("/catches", async (HttpContext context) =>
            {
                await Assert.ThrowsAsync<SessionStoreException>(async () => await context.GetSessionAsync());
                return "signed out, it seems";
            });
        });
        using var client = await NewVisitorAsync(app);
        _store.On(StoreVerb.Read).Fail();
        Assert.Equal("plain", await client.GetStringAsync("/plain", Token));
        foreach (var path in (string[])["/throws", "/catches", "/count"])
        {
            using var response = await client.GetAsync(path, Token);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.DoesNotContain("signed out", await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Who_is_signed_in_is_looked_at_by_the_authentication_scheme_alone()
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.MapGet("/sign-in", () => TypedResults.SignIn(new ClaimsPrincipal(new ClaimsIdentity([new(ClaimTypes.NameIdentifier, "ada")], "test"))));
                app.MapGet("/me", (ClaimsPrincipal user) => user.FindFirstValue(ClaimTypes.NameIdentifier)).RequireAuthorization();
            },
            _store,
            options => options.Load = SessionLoad.OnFirstUse,
            services => services.AddAuthorization().AddAuthentication().AddSojourn());
        using var client = app.NewClient();
        (await client.GetAsync("/sign-in", Token)).EnsureSuccessStatusCode();
        Assert.Equal("ada", await client.GetStringAsync("/me", Token));
        _store.On(StoreVerb.Read).Fail();
        using var response = await client.GetAsync("/me", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
    }

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    public async Task What_looks_after_every_session_is_refused_beside_it(bool resave, bool rolling, bool saveUninitialized)
    {
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(_ => { }, options: o =>
            (o.Load, o.Resave, o.Rolling, o.SaveUninitialized) = (SessionLoad.OnFirstUse, resave, rolling, saveUninitialized)));
        Assert.Contains("Set Load to BeforeHandler", e.Message, StringComparison.Ordinal);
    }

    private Task<TestApp> StartAsync(Action<WebApplication> configure) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/count", (Session session) => session.Get<int>("count"));
            app.MapGet("/set", (Session session) => session.Set("count", 1));
            configure(app);
        },
        _store,
        options => options.Load = SessionLoad.OnFirstUse,
        services => services.AddScoped<Counter>().AddControllers());

    private async Task<HttpClient> NewVisitorAsync(TestApp app)
    {
        var client = app.NewClient();
        (await client.GetAsync("/set", Token)).EnsureSuccessStatusCode();
        _store.ResetCounts();
        return client;
    }

    private sealed record Bag(Session Session);

    private sealed class Counter(Session session)
    {
        public int Count => session.Get<int>("count");
    }
}

#pragma warning disable CA1822 // MVC takes instance methods alone for actions.
[ApiController]
public sealed class LoadController : ControllerBase
{
    [HttpGet("/load/action")]
    public int Action(Session session) => session.Get<int>("count");

    [HttpGet("/load/from-session")]
    public int FromSession([FromSession] int count) => count;
}
#pragma warning restore CA1822

[ApiController]
public sealed class ConstructedController(Session session) : ControllerBase
{
    [HttpGet("/constructed")]
    public int Count() => session.Get<int>("count");
}
