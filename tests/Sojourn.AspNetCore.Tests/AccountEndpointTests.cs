using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>A user's own sessions, as MapSojournAccount serves them.</summary>
public sealed class AccountEndpointTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly MemorySessionStore _store = new();

    [Fact]
    public async Task Somebody_elses_session_is_not_touched()
    {
        var store = new MemorySessionStore();
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/in/{user}", async (Session session, string user) => await session.SignInAsync(user));
                app.MapGet("/handle", (Session session) => session.Handle);
                app.MapSojournAccount();
            },
            store);
        using var ada = app.NewClient();
        using var mallory = app.NewClient();
        await ada.PostAsync("/in/ada", null, Token);
        await mallory.PostAsync("/in/mallory", null, Token);
        var handle = await ada.GetStringAsync("/handle", Token);
        Assert.Equal(HttpStatusCode.NotFound, (await mallory.PostAsync($"/account/sessions/{handle}/end", null, Token)).StatusCode);
        Assert.Null(await store.ReadSubjectAsync("handle:" + handle, Token));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A16_O29_V30_A_user_sees_their_sessions_and_nothing_that_could_be_replayed()
    {
        await using var app = await StartAsync();
        using var phone = await SignInAsync(app, "ada", "Phone/1.0");
        _time.Advance(TimeSpan.FromMinutes(2));
        using var laptop = await SignInAsync(app, "ada", "Laptop/1.0");
        using var bob = await SignInAsync(app, "bob", "Bob/1.0");
        var json = await laptop.GetStringAsync("/account/sessions", Token);
        var list = JsonSerializer.Deserialize<JsonElement[]>(json)!;
        Assert.Equal(["Laptop/1.0", "Phone/1.0"], list.Select(session => session.GetProperty("device").GetProperty("agent").GetString()));
        Assert.Equal([true, false], list.Select(session => session.GetProperty("isCurrent").GetBoolean()));
        foreach (var (key, _) in await _store.FindAsync("subject:ada", Token))
        {
            Assert.DoesNotContain(key, json, StringComparison.Ordinal);
        }

        foreach (var client in (HttpClient[])[phone, laptop])
        {
            var token = WebUtility.UrlDecode(TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value);
            Assert.DoesNotContain(token["s:".Length..token.IndexOf('.', StringComparison.Ordinal)], json, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A16_A_user_ends_one_of_their_sessions_and_nobody_elses()
    {
        await using var app = await StartAsync();
        using var phone = await SignInAsync(app, "ada", "Phone/1.0");
        using var laptop = await SignInAsync(app, "ada", "Laptop/1.0");
        using var bob = await SignInAsync(app, "bob", "Bob/1.0");
        var handle = await HandleOfOtherAsync(laptop);
        Assert.Equal(HttpStatusCode.NotFound, (await bob.PostAsync($"/account/sessions/{handle}/end", null, Token)).StatusCode);
        Assert.Equal("ada", await phone.GetStringAsync("/who", Token));
        Assert.Equal(HttpStatusCode.OK, (await laptop.PostAsync($"/account/sessions/{handle}/end", null, Token)).StatusCode);
        Assert.Equal("", await phone.GetStringAsync("/who", Token));
        Assert.Equal("ada", await laptop.GetStringAsync("/who", Token));
        Assert.Equal(HttpStatusCode.NotFound, (await laptop.PostAsync($"/account/sessions/{handle}/end", null, Token)).StatusCode);
    }

    [Fact]
    public async Task A_user_ends_all_others_or_this_very_one()
    {
        await using var app = await StartAsync();
        using var phone = await SignInAsync(app, "ada", "Phone/1.0");
        using var laptop = await SignInAsync(app, "ada", "Laptop/1.0");
        var answer = await laptop.PostAsync("/account/sessions/others/end", null, Token);
        Assert.Equal(1, (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("ended").GetInt32());
        Assert.Equal("", await phone.GetStringAsync("/who", Token));
        var mine = (await laptop.GetFromJsonAsync<JsonElement[]>("/account/sessions", Token))![0].GetProperty("handle").GetString();
        var gone = await laptop.PostAsync($"/account/sessions/{mine}/end", null, Token);
        Assert.Contains("Max-Age=0", Assert.Single(gone.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await laptop.GetAsync("/account/sessions", Token)).StatusCode);
    }

    [Fact]
    public async Task A16_Ending_a_session_needs_a_fresh_sign_in()
    {
        await using var app = await StartAsync();
        using var phone = await SignInAsync(app, "ada", "Phone/1.0");
        using var laptop = await SignInAsync(app, "ada", "Laptop/1.0");
        var handle = await HandleOfOtherAsync(laptop);
        _time.Advance(TimeSpan.FromMinutes(15) + TimeSpan.FromSeconds(1));
        foreach (var path in (string[])[$"/account/sessions/{handle}/end", "/account/sessions/others/end"])
        {
            var refused = await laptop.PostAsync(path, null, Token);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            Assert.Equal("urn:sojourn:fresh-sign-in-required", (await refused.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
        }

        Assert.Equal(HttpStatusCode.OK, (await laptop.GetAsync("/account/sessions", Token)).StatusCode);
        await laptop.PostAsync("/confirm", null, Token);
        Assert.Equal(HttpStatusCode.OK, (await laptop.PostAsync("/account/sessions/others/end", null, Token)).StatusCode);
    }

    [Fact]
    public async Task A15_A_step_that_needs_a_fresh_sign_in_is_refused_until_the_user_has_proved_it_again()
    {
        await using var app = await StartAsync();
        using var stranger = app.NewClient();
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.PostAsync("/password", null, Token)).StatusCode);
        using var user = await SignInAsync(app, "ada", "Phone/1.0");
        Assert.Equal(HttpStatusCode.OK, (await user.PostAsync("/password", null, Token)).StatusCode);
        _time.Advance(TimeSpan.FromMinutes(5) + TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.PostAsync("/password", null, Token)).StatusCode);
        var page = await user.GetAsync("/checkout?step=2", Token);
        Assert.Equal((HttpStatusCode.Redirect, "/confirm?ReturnUrl=%2Fcheckout%3Fstep%3D2"), (page.StatusCode, page.Headers.Location!.OriginalString));
        await user.PostAsync("/confirm", null, Token);
        Assert.Equal(HttpStatusCode.OK, (await user.PostAsync("/password", null, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await user.GetAsync("/checkout?step=2", Token)).StatusCode);
    }

    [Fact]
    public async Task A_user_in_whose_name_somebody_acts_has_no_fresh_sign_in_there()
    {
        await using var app = await StartAsync();
        using var support = await SignInAsync(app, "operator", "Desk/1.0");
        await support.PostAsync("/act/ada", null, Token);
        Assert.Equal("ada", await support.GetStringAsync("/who", Token));
        Assert.Equal(HttpStatusCode.Unauthorized, (await support.PostAsync("/password", null, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await support.PostAsync("/account/sessions/others/end", null, Token)).StatusCode);
        using var ada = await SignInAsync(app, "ada", "Phone/1.0");
        Assert.Contains(
            await ada.GetFromJsonAsync<JsonElement[]>("/account/sessions", Token) ?? [], session => session.GetProperty("isImpersonated").GetBoolean());
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-origin", HttpStatusCode.OK)]
    [InlineData("Origin", "https://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    public async Task A25_N10_A_page_of_another_site_cannot_end_sessions(string header, string value, HttpStatusCode expected)
    {
        await using var app = await StartAsync();
        using var user = await SignInAsync(app, "ada", "Phone/1.0");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/account/sessions/others/end") { Headers = { { header, value } } };
        Assert.Equal(expected, (await user.SendAsync(request, Token)).StatusCode);
    }

    [Fact]
    public async Task A25_N10_An_antiforgery_token_is_asked_for_where_the_application_has_antiforgery()
    {
        await using var app = await StartAsync(services => services.AddDataProtection().Services.AddAntiforgery(o => o.HeaderName = "X-CSRF"));
        using var user = await SignInAsync(app, "ada", "Phone/1.0");
        Assert.Equal(HttpStatusCode.BadRequest, (await user.PostAsync("/account/sessions/others/end", null, Token)).StatusCode);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/account/sessions/others/end")
        {
            Headers = { { "X-CSRF", await user.GetStringAsync("/csrf", Token) } },
        };
        Assert.Equal(HttpStatusCode.OK, (await user.SendAsync(request, Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await user.PostAsync("/unguarded/others/end", null, Token)).StatusCode);
    }

    private static async Task<string> HandleOfOtherAsync(HttpClient client) =>
        (await client.GetFromJsonAsync<JsonElement[]>("/account/sessions", Token))!.Single(
            session => !session.GetProperty("isCurrent").GetBoolean()).GetProperty("handle").GetString()!;

    private static async Task<HttpClient> SignInAsync(TestApp app, string user, string agent)
    {
        var client = app.NewClient();
        client.DefaultRequestHeaders.UserAgent.ParseAdd(agent);
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync("/in/" + user, null, Token)).StatusCode);
        return client;
    }

    private Task<TestApp> StartAsync(Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.MapPost("/in/{user}", async (Session session, string user) => await session.SignInAsync(user));
            app.MapPost("/confirm", async (Session session) => await session.ConfirmSignInAsync());
            app.MapPost("/act/{user}", async (Session session, string user) => await session.ImpersonateAsync(user));
            app.MapGet("/who", (Session session) => session.Subject ?? "");
            app.MapPost("/password", () => "changed").RequireFreshSignIn(TimeSpan.FromMinutes(5));
            app.MapGet("/checkout", () => "checkout").RequireFreshSignIn(TimeSpan.FromMinutes(5), redirectTo: "/confirm");
            app.MapGet("/csrf", (HttpContext context) => context.RequestServices.GetRequiredService<IAntiforgery>().GetAndStoreTokens(context).RequestToken);
            app.MapSojournAccount();
            app.MapSojournAccount("/unguarded").DisableAntiforgery();
        },
        _store,
        services: services,
        time: _time);
}
