using System.Net;
using System.Security.Claims;
using CsCheck;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.AspNetCore.Authentication;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.Authentication;

public sealed class AuthenticationTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Signing_in_gives_a_new_cookie_and_the_old_one_opens_nothing()
    {
        await using var app = await StartAsync();
        using var visitor = app.NewClient();
        await PostAsync(visitor, "/set/cart/tea");
        var before = CookieOf(app, visitor);
        await PostAsync(visitor, "/in/ada");
        Assert.Equal("ada (tea)", await visitor.GetStringAsync("/me", Token));
        Assert.NotEqual(before, CookieOf(app, visitor));
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", "sid=" + before);
        Assert.Equal("nobody ()", await thief.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task Signing_out_destroys_the_session_and_clears_the_cookie()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        var cookie = CookieOf(app, user);
        var response = await PostAsync(user, "/out");
        Assert.Contains("Max-Age=0", Assert.Single(response.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        Assert.Equal(0, await Count());
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", "sid=" + cookie);
        Assert.Equal(HttpStatusCode.Unauthorized, (await thief.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task A_sign_out_by_somebody_who_has_no_session_stores_nothing()
    {
        await using var app = await StartAsync();
        using var stranger = app.NewClient();
        await PostAsync(stranger, "/out");
        Assert.Equal(0, await Count());
    }

    [Fact]
    public async Task One_request_may_sign_out_and_in()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        await PostAsync(user, "/set/diary/mine");
        await PostAsync(user, "/switch/bob");
        Assert.Equal("bob ()", await user.GetStringAsync("/me", Token));
    }

    [Fact]
    public async Task Pages_send_strangers_to_the_login_page_and_back()
    {
        await using var app = await StartAsync();
        using var stranger = app.NewClient();
        var page = await stranger.GetAsync("/page?x=1", Token);
        Assert.Equal(HttpStatusCode.Redirect, page.StatusCode);
        Assert.Equal("/account/login?ReturnUrl=%2Fpage%3Fx%3D1", page.Headers.Location!.PathAndQuery);
        var login = await stranger.PostAsync(page.Headers.Location, null, Token);
        Assert.Equal("/page?x=1", login.Headers.Location!.OriginalString);
        Assert.Equal(HttpStatusCode.OK, (await stranger.GetAsync("/page?x=1", Token)).StatusCode);
        Assert.Equal("/account/denied", (await stranger.GetAsync("/admin", Token)).Headers.Location!.AbsolutePath);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example/")]
    [InlineData("/%0d%0aLocation:x")]
    public async Task A_return_address_of_another_site_is_not_followed(string target)
    {
        await using var app = await StartAsync();
        using var stranger = app.NewClient();
        var login = await stranger.PostAsync(
            "/account/login?ReturnUrl=" + (target.Contains('%', StringComparison.Ordinal) ? target : Uri.EscapeDataString(target)), null, Token);
        Assert.Null(login.Headers.Location);
        Assert.Equal(HttpStatusCode.OK, login.StatusCode);
    }

    [Fact]
    public async Task Scripts_and_APIs_get_a_status_and_no_page()
    {
        await using var app = await StartAsync();
        using var stranger = app.NewClient();
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync("/me", Token)).StatusCode);
        using var script = new HttpRequestMessage(HttpMethod.Get, "/page") { Headers = { { "X-Requested-With", "XMLHttpRequest" } } };
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.SendAsync(script, Token)).StatusCode);
        await PostAsync(stranger, "/in/ada");
        using var forbidden = new HttpRequestMessage(HttpMethod.Get, "/admin") { Headers = { { "X-Requested-With", "XMLHttpRequest" } } };
        Assert.Equal(HttpStatusCode.Forbidden, (await stranger.SendAsync(forbidden, Token)).StatusCode);
    }

    [Fact]
    public async Task A_store_that_fails_makes_nobody_a_stranger()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        _store.On(StoreVerb.Read).Fail(times: 1);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.GetAsync("/page", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await user.GetAsync("/page", Token)).StatusCode);
        _store.On(StoreVerb.Create).Fail(times: 1);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.PostAsync("/in/ada", null, Token)).StatusCode);
    }

    [Fact]
    public async Task Being_remembered_outlives_the_browser_and_lasts_as_long_as_it_is_told()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        var response = await PostAsync(user, "/in/ada?remember=true");
        Assert.Contains("Max-Age=2592000", Assert.Single(response.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromDays(20));
        var later = await user.GetAsync("/me", Token);
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
        Assert.Contains("Max-Age=2592000", Assert.Single(later.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        var plain = await PostAsync(user, "/in/ada");
        Assert.DoesNotContain("Max-Age", Assert.Single(plain.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(21));
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task A_sign_in_ends_when_it_was_said_to()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada?minutes=30");
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal(HttpStatusCode.OK, (await user.GetAsync("/me", Token)).StatusCode);
        _time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task The_application_may_set_the_deadlines_of_each_user()
    {
        await using var app = await StartAsync(o => o.OnSigningIn = context =>
        {
            context.SignIn.IdleTimeout = context.User.IsInRole("admin") ? TimeSpan.FromMinutes(5) : null;
            return Task.CompletedTask;
        });
        using var admin = app.NewClient();
        await PostAsync(admin, "/in/root?role=admin");
        Assert.Equal(HttpStatusCode.OK, (await admin.GetAsync("/admin", Token)).StatusCode);
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(HttpStatusCode.Redirect, (await admin.GetAsync("/admin", Token)).StatusCode);
    }

    [Fact]
    public async Task A_user_whom_the_application_rejects_is_signed_out()
    {
        var isRejected = false;
        await using var app = await StartAsync(o => o.OnValidate = context =>
        {
            if (isRejected)
            {
                context.Reject();
            }

            return Task.CompletedTask;
        });
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        Assert.Equal(HttpStatusCode.OK, (await user.GetAsync("/me", Token)).StatusCode);
        isRejected = true;
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(0, await Count());
    }

    [Fact]
    public async Task Support_acts_as_a_user_and_comes_back()
    {
        await using var app = await StartAsync();
        using var support = app.NewClient();
        await PostAsync(support, "/in/root?role=admin");
        await PostAsync(support, "/set/cart/notes");
        var before = CookieOf(app, support);
        await PostAsync(support, "/act/ada");
        Assert.NotEqual(before, CookieOf(app, support));
        Assert.Equal("ada ()", await support.GetStringAsync("/me", Token));
        Assert.Equal("/account/denied", (await support.GetAsync("/admin", Token)).Headers.Location!.AbsolutePath);
        await PostAsync(support, "/act");
        Assert.Equal("root (notes)", await support.GetStringAsync("/me", Token));
        Assert.Equal(HttpStatusCode.OK, (await support.GetAsync("/admin", Token)).StatusCode);
    }

    [Fact]
    public async Task An_endpoint_without_a_session_knows_nobody_and_asks_no_store()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        var calls = _store.Calls;
        Assert.Equal("nobody", await user.GetStringAsync("/without", Token));
        Assert.Equal(calls, _store.Calls);
    }

    [Fact]
    public async Task The_cookie_is_small_whatever_the_user_has_claims()
    {
        await using var app = await StartAsync(o => o.OnSigningIn = context =>
        {
            ((ClaimsIdentity)context.User.Identity!).AddClaims(Enumerable.Range(0, 200).Select(i => new Claim("group", new string('g', 100) + i)));
            return Task.CompletedTask;
        });
        using var user = app.NewClient();
        var response = await PostAsync(user, "/in/ada");
        Assert.InRange(Assert.Single(response.Headers.GetValues("Set-Cookie")).Length, 1, 200);
        Assert.Equal("ada ()", await user.GetStringAsync("/me", Token));
    }

    [Fact]
    public async Task Strangers_pages_stay_fit_for_shared_caches_and_users_pages_do_not()
    {
        await using var app = await StartAsync();
        using var visitor = app.NewClient();
        Assert.Null((await visitor.GetAsync("/open", Token)).Headers.CacheControl);
        await PostAsync(visitor, "/in/ada");
        Assert.True((await visitor.GetAsync("/open", Token)).Headers.CacheControl!.NoStore);
    }

    [Fact]
    public async Task The_session_may_come_before_authentication_in_the_pipeline()
    {
        await using var app = await StartAsync(isSessionFirst: true);
        using var user = app.NewClient();
        await PostAsync(user, "/in/ada");
        Assert.Equal("ada ()", await user.GetStringAsync("/me", Token));
        _store.On(StoreVerb.Read).Fail(times: 1);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await user.GetAsync("/page", Token)).StatusCode);
    }

    [Fact]
    public void A_ticket_gives_back_the_user_that_was_put_into_it()
    {
        var text = Gen.String[Gen.Char[' ', '\u2fff'], 0, 12];
        var claim = Gen.Select(
            text, text, Gen.Bool.Select(isText => isText ? ClaimValueTypes.String : ClaimValueTypes.Integer),
            Gen.Bool.Select(isOwn => isOwn ? ClaimsIdentity.DefaultIssuer : "https://issuer"))
            .Select((type, value, kind, issuer) => new Claim(type, value, kind, issuer));
        Gen.Select(
            claim.Array[0, 6], text, Gen.Bool.Select(isShort => isShort ? "name" : ClaimTypes.Name),
            Gen.Bool).Sample((claims, scheme, nameType, isAuthenticated) =>
        {
            var user = new ClaimsPrincipal(new ClaimsIdentity(claims, isAuthenticated ? "Password" : null, nameType, "role"));
            var properties = new AuthenticationProperties { IsPersistent = true, RedirectUri = "/x" };
            var read = SessionTicket.Read(SessionTicket.Write(scheme, user, properties), scheme)!;
            var identity = (ClaimsIdentity)read.Principal.Identity!;
            Assert.Equal((isAuthenticated, nameType, "role"), (identity.IsAuthenticated, identity.NameClaimType, identity.RoleClaimType));
            Assert.Equal(claims.Select(Describe), identity.Claims.Select(Describe));
            Assert.Equal(properties.Items, read.Properties.Items);
            Assert.Null(SessionTicket.Read(SessionTicket.Write(scheme, user, properties), scheme + "!"));

            static string Describe(Claim claim) => $"{claim.Type}|{claim.Value}|{claim.ValueType}|{claim.Issuer}|{claim.OriginalIssuer}";
        });
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"scheme":"Sojourn"}""")]
    [InlineData("""{"scheme":"Sojourn","identities":[{}],"properties":{}}""")]
    [InlineData("""{"scheme":"Sojourn","identities":[{"claims":[{"type":"sub"}]}],"properties":{}}""")]
    [InlineData("""{"scheme":"Sojourn","identities":{},"properties":{}}""")]
    public void Nobody_is_signed_in_by_a_ticket_that_cannot_be_read(string json) =>
        Assert.Null(SessionTicket.Read(System.Text.Encoding.UTF8.GetBytes(json), "Sojourn"));

    private static string CookieOf(TestApp app, HttpClient client) => TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value;

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string path)
    {
        var response = await client.PostAsync(path, null, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    private async Task<long> Count() => await _store.As<ISessionIndex>()!.CountAsync(Token);

    private Task<TestApp> StartAsync(Action<SojournAuthenticationOptions>? options = null, bool isSessionFirst = false) => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            if (!isSessionFirst)
            {
                app.UseSojourn();
            }

            app.MapPost(
                "/in/{name}",
                (HttpContext context, string name, bool remember = false, int minutes = 0, string role = "user") =>
                    SignInAsync(context, name, remember, minutes, role));
            app.MapPost("/account/login", context => SignInAsync(context, "ada"));
            app.MapPost("/out", (HttpContext context) => context.SignOutAsync());
            app.MapPost("/switch/{name}", async (HttpContext context, string name) =>
            {
                await context.SignOutAsync();
                await SignInAsync(context, name);
            });
            app.MapPost("/act/{name}", (HttpContext context, string name) => context.ImpersonateAsync(UserOf(name, "user")));
            app.MapPost("/act", (HttpContext context) => context.StopImpersonatingAsync());
            app.MapPost("/set/{name}/{value}", (Session session, string name, string value) => session.Set(name, value));
            app.MapGet("/who", (HttpContext context, Session session) => Who(context.User, session));
            app.MapGet("/me", (HttpContext context, Session session) => Who(context.User, session)).RequireAuthorization().DisableCookieRedirect();
            app.MapGet("/page", () => "page").RequireAuthorization();
            app.MapGet("/open", () => "open");
            app.MapGet("/admin", () => "admin").RequireAuthorization(policy => policy.RequireRole("admin"));
            app.MapGet("/without", (HttpContext context) => context.User.Identity?.Name ?? "nobody").WithoutSession();
        },
        _store,
        services: services =>
        {
            services.AddAuthentication(SojournAuthenticationDefaults.AuthenticationScheme).AddSojourn(options);
            services.AddAuthorization();
        },
        time: _time,
        useSojourn: isSessionFirst);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_user_who_is_rejected_is_signed_out_whatever_the_endpoint_may_do(bool isReadOnly)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseSojourn();
                app.MapPost("/in", (HttpContext context) => context.SignInAsync(UserOf("ada", "user")));
                var me = app.MapGet("/me", (ClaimsPrincipal user) => user.Identity!.Name).RequireAuthorization();
                if (isReadOnly)
                {
                    me.WithReadOnlySession();
                }
            },
            services: services =>
            {
                services.AddAuthorization();
                services.AddAuthentication("Sojourn").AddSojourn(options =>
                {
                    options.LoginPath = null;
                    options.OnValidate = context =>
                    {
                        if (context.HttpContext.Request.Headers.ContainsKey("X-Reject"))
                        {
                            context.Reject();
                        }

                        return Task.CompletedTask;
                    };
                });
            },
            useSojourn: false);
        using var client = app.NewClient();
        await client.PostAsync("/in", null, Token);
        Assert.Equal("ada", await client.GetStringAsync("/me", Token));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/me") { Headers = { { "X-Reject", "1" } } };
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.SendAsync(request, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/me", Token)).StatusCode);
    }

    private static string Who(ClaimsPrincipal user, Session session) =>
        $"{user.Identity?.Name ?? "nobody"} ({session.Get<string>("cart") ?? session.Get<string>("diary")})";

    private static ClaimsPrincipal UserOf(string name, string role) =>
        new(new ClaimsIdentity([new("sub", name), new("name", name), new("role", role)], "Password", "name", "role"));

    private Task SignInAsync(HttpContext context, string name, bool remember = false, int minutes = 0, string role = "user") => context.SignInAsync(
        UserOf(name, role),
        new AuthenticationProperties { IsPersistent = remember, ExpiresUtc = minutes == 0 ? null : _time.GetUtcNow().AddMinutes(minutes) });
}
