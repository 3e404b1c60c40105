using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.Authentication;

/// <summary>Cookie authentication whose tickets are sessions.</summary>
public sealed class TicketTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ada", "ada", true)]
    [InlineData("ada", "ada", false)]
    [InlineData("mallory", "ada", true)]
    [InlineData("mallory", "ada", false)]
    public async Task A7_V8_a_sign_in_gets_a_new_key_and_the_cookie_before_it_is_dead(string first, string second, bool isDefault)
    {
        await using var app = await StartAsync(isDefault: isDefault);
        using var user = app.NewClient();
        await PostAsync(user, $"/in/{first}");
        using var planter = app.NewBareClient();
        planter.DefaultRequestHeaders.Add("Cookie", "auth=" + CookieOf(app, user));
        Assert.Equal(first, await planter.GetStringAsync("/who", Token));
        await PostAsync(user, $"/in/{second}");
        Assert.Equal(second, await user.GetStringAsync("/who", Token));
        Assert.Equal("nobody", await planter.GetStringAsync("/who", Token));
        Assert.Equal(1, await Count());
    }

    [Fact]
    public async Task A10_signing_out_destroys_the_session()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", "auth=" + CookieOf(app, user));
        await PostAsync(user, "/out");
        Assert.Equal(0, await Count());
        Assert.Equal("nobody", await thief.GetStringAsync("/who", Token));
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task Who_signs_in_and_out_in_one_request_is_out()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        await PostAsync(user, "/in-and-out/bob");
        Assert.Equal(0, await Count());
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A11_ending_a_users_sessions_signs_them_out_at_once()
    {
        await using var app = await StartAsync();
        using var ada = app.NewClient();
        using var bob = app.NewClient();
        await PostAsync(ada, "/in/ada");
        await PostAsync(bob, "/in/bob");
        var administration = app.Services.GetRequiredService<ISessionAdministration>();
        var listed = Assert.Single(await administration.ListAsync("ada", cancellationToken: Token));
        Assert.Equal("tests", listed.Device?.Agent);
        Assert.Equal(1, await administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token));
        Assert.Equal("nobody", await ada.GetStringAsync("/who", Token));
        Assert.Equal("bob", await bob.GetStringAsync("/who", Token));
        Assert.Equal(1, await administration.EndAsync(new SessionFilter { Label = "sid:of-bob" }, cancellationToken: Token));
        Assert.Equal("nobody", await bob.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A2_a_user_has_as_many_as_they_may()
    {
        await using var app = await StartAsync(o => o.MaxSessionsPerSubject = 2);
        using var first = app.NewClient();
        await PostAsync(first, "/in/ada");
        _time.Advance(TimeSpan.FromMinutes(1));
        for (var i = 0; i < 2; i++)
        {
            using var other = app.NewClient();
            await PostAsync(other, "/in/ada");
        }

        Assert.Equal(2, await Count());
        Assert.Equal("nobody", await first.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A8_A9_a_ticket_slides_with_use_until_its_absolute_deadline()
    {
        await using var app = await StartAsync(o => o.AbsoluteTimeout = TimeSpan.FromHours(3));
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        for (var minutes = 40; minutes < 180; minutes += 40)
        {
            _time.Advance(TimeSpan.FromMinutes(40));
            Assert.Equal("ada", await user.GetStringAsync("/who", Token));
        }

        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
        await PostAsync(user, "/in/ada");
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A_ticket_that_is_not_renewed_ends_when_it_was_said_to()
    {
        await using var app = await StartAsync(cookie: o => o.SlidingExpiration = false);
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        _time.Advance(TimeSpan.FromMinutes(45));
        Assert.Equal("ada", await user.GetStringAsync("/who", Token));
        var listed = Assert.Single(await app.Services.GetRequiredService<ISessionAdministration>().ListAsync("ada", cancellationToken: Token));
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(15), listed.ExpiresAt);
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task The_applications_own_events_go_on()
    {
        var signedIn = new List<string>();
        await using var app = await StartAsync(cookie: o => o.Events = new CookieAuthenticationEvents
        {
            OnSigningIn = context =>
            {
                signedIn.Add(context.Principal!.Identity!.Name!);
                return Task.CompletedTask;
            },
            OnValidatePrincipal = context =>
            {
                var identity = new ClaimsIdentity(context.Principal!.Claims.Append(new Claim("seen", "yes")), "test", "sub", "role");
                context.ReplacePrincipal(new ClaimsPrincipal(identity));
                context.ShouldRenew = !context.Principal!.HasClaim("seen", "no");
                return Task.CompletedTask;
            },
        });
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        Assert.Equal(["ada"], signedIn);
        Assert.Equal("1", await user.GetStringAsync("/seen", Token));
        Assert.Equal("2", await user.GetStringAsync("/seen", Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A40_a_store_that_fails_makes_nobody_a_stranger(bool isDefault)
    {
        await using var app = await StartAsync(isDefault: isDefault);
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        _store.On(StoreVerb.Read).Fail();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.GetAsync("/private", Token)).StatusCode);
        if (isDefault)
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.GetAsync("/who", Token)).StatusCode);
        }

        _store.Clear();
        Assert.Equal("private", await user.GetStringAsync("/private", Token));
    }

    [Theory]
    [InlineData(StoreVerb.Create, false)]
    [InlineData(StoreVerb.Create, true)]
    [InlineData(StoreVerb.Delete, false)]
    [InlineData(StoreVerb.Delete, true)]
    public async Task A40_a_sign_in_that_cannot_be_stored_is_503_and_signs_nobody_in(StoreVerb verb, bool useSojourn)
    {
        await using var app = await StartAsync(useSojourn: useSojourn);
        using var user = app.NewClient();
        await PostAsync(user, "/in/mallory");
        _store.On(verb).Fail();
        using var refused = await user.PostAsync("/in/ada", null, Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.False(refused.Headers.Contains("Set-Cookie"));
        _store.Clear();
        Assert.NotEqual("ada", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A_sign_out_that_cannot_be_stored_is_503_and_a_renewal_that_cannot_be_waits()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        _store.On(StoreVerb.Delete).Fail();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.PostAsync("/out", null, Token)).StatusCode);
        _store.Clear();
        _time.Advance(TimeSpan.FromMinutes(40));
        _store.On(StoreVerb.Replace).Fail();
        using var answer = await user.GetAsync("/who", Token);
        Assert.Equal("ada", await answer.Content.ReadAsStringAsync(Token));
        Assert.False(answer.Headers.Contains("Set-Cookie"));
        _store.Clear();
        using var renewed = await user.GetAsync("/who", Token);
        Assert.True(renewed.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task A_sign_in_whose_client_goes_away_is_stored_or_refused_and_never_cancelled()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/abort/ada");
        Assert.Equal(1, await Count());
        await PostAsync(user, "/abort-out");
        Assert.Equal(0, await Count());
    }

    [Fact]
    public async Task V17_a_sign_in_that_was_proved_before_all_sessions_were_ended_is_refused()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        Assert.Equal(HttpStatusCode.Conflict, (await user.PostAsync("/late/ada", null, Token)).StatusCode);
        Assert.Equal(0, await Count());
    }

    [Fact]
    public async Task A_cookie_of_a_session_that_is_no_ticket_signs_nobody_in()
    {
        await using var app = await StartAsync();
        var manager = app.Services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("cart", "tea");
        await manager.CommitAsync(session, Token);
        var cookies = app.Services.GetRequiredService<Microsoft.Extensions.Options.IOptionsMonitor<CookieAuthenticationOptions>>().Get("Cookies");
        var identity = new ClaimsIdentity([new Claim("Microsoft.AspNetCore.Authentication.Cookies-SessionId", session.Id)], "Cookies");
        using var forger = app.NewBareClient();
        forger.DefaultRequestHeaders.Add(
            "Cookie", "auth=" + cookies.TicketDataFormat.Protect(new AuthenticationTicket(new ClaimsPrincipal(identity), "Cookies")));
        Assert.Equal("nobody", await forger.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A_scheme_that_has_no_tickets_is_refused_at_start()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => TestApp.StartAsync(
            app => app.UseAuthentication(), services: static services => services.AddAuthentication("Cookies").UseSojournTickets()));
        Assert.Contains("AddCookie(\"Cookies\")", failure.Message, StringComparison.Ordinal);
    }

    private static string CookieOf(TestApp app, HttpClient client) => TestApp.CookiesOf(client).GetCookies(app.Address)["auth"]!.Value;

    private static async Task PostAsync(HttpClient client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "User-Agent", "tests" } } };
        using var response = await client.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static Task SignInAsync(HttpContext context, string name) => context.SignInAsync("Cookies", new ClaimsPrincipal(new ClaimsIdentity(
        [new Claim("sub", name), new Claim("sid", "of-" + name)], "test", "sub", "role")));

    private async Task<long> Count() => await _store.As<ISessionIndex>()!.CountAsync(Token);

    private Task<TestApp> StartAsync(
        Action<SojournOptions>? options = null, Action<CookieAuthenticationOptions>? cookie = null, bool isDefault = true,
        bool useSojourn = true) => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            if (useSojourn)
            {
                app.UseSojourn();
            }

            app.MapPost("/in/{name}", (HttpContext context, string name) => SignInAsync(context, name));
            app.MapPost("/out", (HttpContext context) => context.SignOutAsync("Cookies"));
            app.MapPost("/in-and-out/{name}", async (HttpContext context, string name) =>
            {
                await SignInAsync(context, name);
                await context.SignOutAsync("Cookies");
            });
            app.MapPost("/late/{name}", async (HttpContext context, string name, ISessionAdministration administration) =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                await administration.EndAsync(new SessionFilter { Subject = name });
                await SignInAsync(context, name);
            });
            app.MapPost("/abort/{name}", async (HttpContext context, string name) =>
            {
                context.RequestAborted = new CancellationToken(canceled: true);
                await SignInAsync(context, name);
                context.RequestAborted = default;
            });
            app.MapPost("/abort-out", async (HttpContext context) =>
            {
                context.RequestAborted = new CancellationToken(canceled: true);
                await context.SignOutAsync("Cookies");
                context.RequestAborted = default;
            });
            app.MapGet("/who", async (HttpContext context) => (await context.AuthenticateAsync("Cookies")).Principal?.FindFirst("sub")?.Value ?? "nobody");
            app.MapGet("/seen", async (HttpContext context) => $"{(await context.AuthenticateAsync("Cookies")).Principal!.FindAll("seen").Count()}");
            app.MapGet("/private", () => "private").RequireAuthorization(policy => policy.AddAuthenticationSchemes("Cookies").RequireAuthenticatedUser());
        },
        _store,
        options,
        services =>
        {
            var authentication = isDefault
                ? services.AddAuthentication("Cookies")
                : services.AddAuthentication(o => o.DefaultScheme = "none").AddCookie("none");
            services.AddAuthorization();
            authentication.AddCookie(o =>
            {
                o.Cookie.Name = "auth";
                o.ExpireTimeSpan = TimeSpan.FromHours(1);
                cookie?.Invoke(o);
            }).UseSojournTickets();
        },
        _time,
        useSojourn: false);
}
