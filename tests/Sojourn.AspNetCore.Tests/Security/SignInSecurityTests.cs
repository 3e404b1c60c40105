using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.AspNetCore.Authentication;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests.Security;

/// <summary>Signing in, proving it again, acting as somebody, and being ended from elsewhere, as an attacker sees them.</summary>
public sealed class SignInSecurityTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly MemorySessionStore _store = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/in/ada")]
    [InlineData("/scheme/ada")]
    [InlineData("/confirm")]
    [InlineData("/act/bob")]
    [InlineData("/act")]
    [InlineData("/switch/bob")]
    public async Task A7_O13_N4_V8_Every_change_of_who_somebody_is_gives_a_new_id_and_kills_the_old_one(string step)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await PostAsync(client, "/set");
        if (!step.EndsWith("/ada", StringComparison.Ordinal))
        {
            await PostAsync(client, "/in/ada");
        }

        if (step == "/act")
        {
            await PostAsync(client, "/act/bob");
        }

        var before = CookieOf(app, client);
        await PostAsync(client, step);
        Assert.NotEqual(before, CookieOf(app, client));
        Assert.Equal("nobody, nothing", await SeenByAsync(app, before));
    }

    [Fact]
    public async Task A7_V8_An_id_that_the_visitor_was_given_by_somebody_else_does_not_become_theirs()
    {
        await using var app = await StartAsync();
        using var attacker = app.NewClient();
        await PostAsync(attacker, "/set");
        var planted = CookieOf(app, attacker);
        using var victim = app.NewClient();
        TestApp.CookiesOf(victim).Add(app.Address, new Cookie("sid", planted));
        await PostAsync(victim, "/scheme/ada");
        Assert.StartsWith("nobody", await attacker.GetStringAsync("/who", Token), StringComparison.Ordinal);
        Assert.StartsWith("ada", await victim.GetStringAsync("/who", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A11_A14_V28_An_administrator_ends_all_sessions_of_a_user_or_of_everybody()
    {
        await using var app = await StartAsync();
        var administration = app.Services.GetRequiredService<ISessionAdministration>();
        using HttpClient one = app.NewClient(), other = app.NewClient(), bob = app.NewClient(), visitor = app.NewClient();
        await PostAsync(one, "/in/ada");
        await PostAsync(other, "/scheme/ada");
        await PostAsync(bob, "/in/bob");
        await PostAsync(visitor, "/set");
        Assert.Equal(2, await administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token));
        Assert.Equal("nobody, nothing", await one.GetStringAsync("/who", Token));
        Assert.Equal("nobody, nothing", await other.GetStringAsync("/who", Token));
        Assert.StartsWith("bob", await bob.GetStringAsync("/who", Token), StringComparison.Ordinal);
        Assert.Equal(2, await administration.EndEverythingAsync(cancellationToken: Token));
        Assert.Equal("nobody, nothing", await bob.GetStringAsync("/who", Token));
        Assert.Equal("nobody, nothing", await visitor.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A12_V17_A_changed_password_ends_the_others_and_leaves_the_one_that_changed_it()
    {
        await using var app = await StartAsync();
        using HttpClient mine = app.NewClient(), thief = app.NewClient();
        await PostAsync(mine, "/scheme/ada");
        await PostAsync(thief, "/scheme/ada");
        await PostAsync(mine, "/password");
        Assert.Equal("nobody, nothing", await thief.GetStringAsync("/who", Token));
        Assert.StartsWith("ada", await mine.GetStringAsync("/who", Token), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https", "\"cache\", \"storage\"")]
    [InlineData("http", null)]
    public async Task A34_O22_Signing_out_tells_the_browser_to_drop_what_it_keeps(string scheme, string? expected)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await PostAsync(client, "/scheme/ada");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/out") { Headers = { { "X-Test-Scheme", scheme } } };
        var response = await client.SendAsync(request, Token);
        Assert.Equal(expected, response.Headers.TryGetValues("Clear-Site-Data", out var values) ? Assert.Single(values) : null);
    }

    [Fact]
    public async Task A36_The_network_of_a_device_is_the_connections_and_never_a_headers()
    {
        await using var app = await StartAsync(o => o.KeepDevice = DeviceKeeping.AgentAndNetwork);
        using var client = app.NewClient();
        client.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        client.DefaultRequestHeaders.Add("Forwarded", "for=203.0.113.7");
        await PostAsync(client, "/in/ada");
        var session = Assert.Single(await app.Services.GetRequiredService<ISessionAdministration>().ListAsync("ada", cancellationToken: Token));
        Assert.Equal("127.0.0.0/24", session.Device!.Network);
    }

    [Fact]
    public async Task O25_Two_sessions_in_one_request_and_ids_that_nobody_has_are_told_of()
    {
        var channel = new Events.SessionEventChannel(100);
        await using var app = await StartAsync(services: services => services.AddSingleton<Events.ISessionEventHandler>(channel));
        using HttpClient ada = app.NewClient(), bob = app.NewClient(), confused = app.NewBareClient();
        await PostAsync(ada, "/in/ada");
        await PostAsync(bob, "/in/bob");
        confused.DefaultRequestHeaders.Add("Cookie", $"sid={CookieOf(app, ada)}; sid={CookieOf(app, bob)}");
        Assert.StartsWith("nobody", await confused.GetStringAsync("/who", Token), StringComparison.Ordinal);
        var gone = CookieOf(app, bob);
        await PostAsync(bob, "/out");
        Assert.StartsWith("nobody", await SeenByAsync(app, gone), StringComparison.Ordinal);
        var suspicions = new List<Events.SessionSuspicion>();
        while (channel.Reader.TryRead(out var told))
        {
            if (told.Suspicion is { } suspicion)
            {
                suspicions.Add(suspicion);
            }
        }

        Assert.Equal([Events.SessionSuspicion.AmbiguousTokens, Events.SessionSuspicion.UnknownId], suspicions);
    }

    [Fact]
    public async Task N15_Use_prolongs_the_idle_deadline_alone_and_a_new_sign_in_both()
    {
        await using var app = await StartAsync(o => (o.IdleTimeout, o.AbsoluteTimeout) = (TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(50)));
        using var client = app.NewClient();
        await PostAsync(client, "/in/ada");
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(15));
            Assert.StartsWith("ada", await client.GetStringAsync("/who", Token), StringComparison.Ordinal);
        }

        await PostAsync(client, "/in/ada");
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.StartsWith("ada", await client.GetStringAsync("/who", Token), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(19));
        Assert.StartsWith("ada", await client.GetStringAsync("/who", Token), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(16));
        Assert.StartsWith("nobody", await client.GetStringAsync("/who", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task V26_An_antiforgery_token_from_before_the_sign_in_is_worth_nothing_after_it()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        var before = await client.GetStringAsync("/csrf", Token);
        Assert.Equal(HttpStatusCode.OK, await GuardedAsync(before));
        await PostAsync(client, "/scheme/ada");
        Assert.Equal(HttpStatusCode.BadRequest, await GuardedAsync(before));
        Assert.Equal(HttpStatusCode.OK, await GuardedAsync(await client.GetStringAsync("/csrf", Token)));

        async Task<HttpStatusCode> GuardedAsync(string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/guarded") { Headers = { { "X-CSRF", token } } };
            return (await client.SendAsync(request, Token)).StatusCode;
        }
    }

    private static string CookieOf(TestApp app, HttpClient client) => TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value;

    private static async Task<string> SeenByAsync(TestApp app, string cookie)
    {
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", "sid=" + cookie);
        return await thief.GetStringAsync("/who", Token);
    }

    private static async Task PostAsync(HttpClient client, string path) =>
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync(path, null, Token)).StatusCode);

    private static Task SignInAsync(HttpContext context, string name) =>
        context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity([new("sub", name), new("name", name)], "Password", "name", "role")));

    private Task<TestApp> StartAsync(Action<SojournOptions>? options = null, Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.Use((context, next) =>
            {
                context.Request.Scheme = context.Request.Headers["X-Test-Scheme"].FirstOrDefault() ?? context.Request.Scheme;
                return next(context);
            });
            app.UseAuthentication();
            app.UseSojourn();
            app.MapPost("/set", (Session session) => session.Set("cart", "tea"));
            app.MapGet("/who", (Session session) => $"{session.Subject ?? "nobody"}, {session.Get<string>("cart") ?? "nothing"}");
            app.MapPost("/in/{name}", async (Session session, string name) => await session.SignInAsync(name));
            app.MapPost("/scheme/{name}", SignInAsync);
            app.MapPost("/switch/{name}", async (HttpContext context, string name) =>
            {
                await context.SignOutAsync();
                await SignInAsync(context, name);
            });
            app.MapPost("/confirm", async (Session session) => await session.ConfirmSignInAsync());
            app.MapPost("/act/{name}", async (Session session, string name) => await session.ImpersonateAsync(name));
            app.MapPost("/act", async (Session session) => await session.StopImpersonatingAsync());
            app.MapPost("/out", (HttpContext context) => context.SignOutAsync());
            app.MapPost("/password", async (Session session, ISessionAdministration sessions) =>
            {
                await sessions.EndOthersAsync(session, Events.SessionEndReason.CredentialsChanged);
            });
            app.MapGet("/csrf", (HttpContext context, IAntiforgery antiforgery) => antiforgery.GetAndStoreTokens(context).RequestToken);
            app.MapPost("/guarded", async (HttpContext context, IAntiforgery antiforgery) =>
                await antiforgery.IsRequestValidAsync(context) ? Results.Ok() : Results.BadRequest());
        },
        _store,
        options,
        collection =>
        {
            services?.Invoke(collection);
            collection.AddAuthentication(SojournAuthenticationDefaults.AuthenticationScheme).AddSojourn(o => o.ClearsSiteData = true);
            collection.AddDataProtection();
            collection.AddAntiforgery(o => o.HeaderName = "X-CSRF");
        },
        _time,
        useSojourn: false);
}
