using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.AspNetCore.Authentication;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.Authentication;

/// <summary>A remote handler, such as OpenID Connect's, signs in inside UseAuthentication and answers by itself: UseSojourn never runs.</summary>
public sealed class RemoteSignInTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_callback_gives_a_new_id_and_the_session_is_found_by_the_providers_sid()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/set", null, Token);
        var before = TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value;
        var callback = await client.GetAsync("/signin-remote", Token);
        Assert.Equal((HttpStatusCode.Redirect, "/me"), (callback.StatusCode, callback.Headers.Location!.OriginalString));
        Assert.Equal("ada (tea)", await client.GetStringAsync("/me", Token));
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", "sid=" + before);
        Assert.Equal(HttpStatusCode.Redirect, (await thief.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(
            1, await app.Services.GetRequiredService<ISessionAdministration>().EndAsync(new SessionFilter { Label = "sid:08a5" }, cancellationToken: Token));
        Assert.Equal(HttpStatusCode.Redirect, (await client.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task A18_A_sign_in_by_a_remote_handler_lasts_as_long_as_the_provider_said()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetAsync("/signin-remote", Token);
        _time.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/me", Token)).StatusCode);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.Redirect, (await client.GetAsync("/me", Token)).StatusCode);
    }

    [Theory]
    [InlineData(StoreVerb.Read)]
    [InlineData(StoreVerb.Create)]
    public async Task A_callback_that_cannot_be_stored_is_503_and_signs_nobody_in(StoreVerb verb)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/set", null, Token);
        _store.On(verb).Fail(times: 1);
        var callback = await client.GetAsync("/signin-remote", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, callback.StatusCode);
        Assert.False(callback.Headers.Contains("Set-Cookie"));
        Assert.Equal(HttpStatusCode.Redirect, (await client.GetAsync("/me", Token)).StatusCode);
    }

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseSojourn();
            app.MapPost("/set", (Session session) => session.Set("cart", "tea"));
            app.MapGet(
                "/me", (HttpContext context, Session session) => $"{context.User.Identity!.Name} ({session.Get<string>("cart")})").RequireAuthorization();
        },
        _store,
        services: services =>
        {
            services.AddSingleton<TimeProvider>(_time);
            services.AddAuthentication(SojournAuthenticationDefaults.AuthenticationScheme)
                .AddSojourn()
                .AddScheme<RemoteOptions, RemoteHandler>("Remote", null);
            services.AddAuthorization();
        },
        time: _time,
        useSojourn: false);

    private sealed class RemoteOptions : AuthenticationSchemeOptions;

    /// <summary>Stands in for a handler of OpenID Connect: what it does at its callback is to sign in to another scheme and redirect.</summary>
    private sealed class RemoteHandler(
        Microsoft.Extensions.Options.IOptionsMonitor<RemoteOptions> options, Microsoft.Extensions.Logging.ILoggerFactory logger,
        System.Text.Encodings.Web.UrlEncoder encoder)
        : AuthenticationHandler<RemoteOptions>(options, logger, encoder), IAuthenticationRequestHandler
    {
        public async Task<bool> HandleRequestAsync()
        {
            if (Request.Path != "/signin-remote")
            {
                return false;
            }

            var user = new ClaimsPrincipal(new ClaimsIdentity([new("sub", "ada"), new("name", "ada"), new("sid", "08a5")], "Remote", "name", "role"));
            await Context.SignInAsync(
                SojournAuthenticationDefaults.AuthenticationScheme,
                user,
                new AuthenticationProperties { ExpiresUtc = TimeProvider.GetUtcNow().AddMinutes(10) });
            Response.Redirect("/me");
            return true;
        }

        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(AuthenticateResult.NoResult());
    }
}
