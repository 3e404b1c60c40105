using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Sojourn.Events;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>Sessions bound to devices, as a browser that binds sees them, and as somebody does who has copied its cookies.</summary>
public sealed class DeviceBindingTests
{
    private static readonly TimeSpan CookieLifetime = TimeSpan.FromMinutes(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ES256")]
    [InlineData("RS256")]
    public async Task N9_A_browser_that_can_bind_is_bound_at_the_sign_in_and_goes_on_by_one_refresh_at_a_time(string algorithm)
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync(algorithm: algorithm);
        Assert.Equal(["__Host-sid", "__Host-sidb"], browser.Cookies.Keys.Order());
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(0, browser.RefreshRequests);
        for (var turn = 1; turn <= 3; turn++)
        {
            app.Time.Advance(CookieLifetime);
            Assert.Equal(
                ["200 ada", "200 ada", "200 ada"], await Task.WhenAll(browser.TextAsync("/who"), browser.TextAsync("/who"), browser.TextAsync("/who")));

            // The challenge had come with the cookie before: one request, one signature.
            Assert.Equal((turn, turn + 1), (browser.RefreshRequests, browser.Signatures));
        }
    }

    [Fact]
    public async Task A_browser_that_cannot_bind_goes_on_as_ever_and_its_session_says_so()
    {
        await using var app = await BindingApp.StartAsync();
        using var other = app.NewBrowser(binds: false);
        await other.PostAsync("/in/ada");
        Assert.NotNull(other.Offer);
        app.Time.Advance(TimeSpan.FromMinutes(15));
        Assert.Equal("200 ada", await other.TextAsync("/who"));
        using var bound = await app.SignInAsync();
        using var list = await bound.GetAsync("/account/sessions");
        var sessions = (await list.Content.ReadFromJsonAsync<JsonElement[]>(Token))!;
        Assert.Equal(
            [true, false],
            sessions.OrderByDescending(each => each.GetProperty("isCurrent").GetBoolean()).Select(each => each.GetProperty("isDeviceBound").GetBoolean()));
    }

    [Fact]
    public async Task Nobody_is_offered_a_binding_who_is_not_signed_in_or_came_by_http()
    {
        await using var app = await BindingApp.StartAsync();
        using var stranger = app.NewBrowser();
        await stranger.PostAsync("/count");
        await stranger.GetAsync("/page", ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"));
        Assert.Null(stranger.Offer);
        Assert.Null(stranger.Binding);
        await using var plain = await TestApp.StartAsync(
            each => each.MapPost("/in/{user}", async (Session session, string user) => await session.SignInAsync(user)),
            services: all => new SojournBuilder(all).WithDeviceBinding());
        using var client = plain.NewClient();
        using var response = await client.PostAsync("/in/ada", null, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("Secure-Session-Registration"));
    }

    [Fact]
    public async Task V29_V27_N17_A28_Copied_cookies_are_good_for_minutes_and_then_refused_and_told_of_while_the_device_goes_on()
    {
        await using var app = await BindingApp.StartAsync(services: all => new SojournBuilder(all).AddEventHandler<HeardEvents>());
        using var refused = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "Sojourn", "sojourn.device_binding.refused");
        using var browser = await app.SignInAsync();
        var (both, session) = (browser.CookieHeader, $"__Host-sid={browser.Cookies["__Host-sid"]}");
        using (var fresh = await app.SendAsync("/who", both))
        {
            Assert.Equal("ada", await fresh.Content.ReadAsStringAsync(Token));
        }

        // The session's cookie alone is never enough, nor is a bound cookie that is another's, made up, or past its end.
        using var bob = await app.SignInAsync("bob");
        foreach (var cookies in (string[])[session, $"{session}; __Host-sidb={bob.Cookies["__Host-sidb"]}", $"{session}; __Host-sidb={new string('_', 54)}", $"{session}; __Host-sidb="])
        {
            await AssertRefusedAsync(cookies);
        }

        app.Time.Advance(CookieLifetime + TimeSpan.FromSeconds(30));
        await AssertRefusedAsync(both);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(5, refused.GetMeasurementSnapshot().Count(each => (string?)each.Tags["reason"] == "unbound-use"));
        var told = app.Services.GetServices<ISessionEventHandler>().OfType<HeardEvents>().Single().All.Where(
            each => each.Kind == SessionEventKind.Suspicious).ToArray();
        Assert.Equal(5, told.Length);
        Assert.All(told, each => Assert.Equal((SessionSuspicion.UnboundUse, "ada", true), (each.Suspicion!.Value, each.Subject, each.Handle is not null)));

        async Task AssertRefusedAsync(string cookies)
        {
            using var answer = await app.SendAsync("/who", cookies);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("urn:sojourn:device-proof-required", (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
            Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());

            // The one who asks may be the user, whose key is lost: they can sign in anew.
            Assert.Equal(
                ["__Host-sid=", "__Host-sidb="], answer.Headers.GetValues("Set-Cookie").Select(each => each[..each.IndexOf(';', StringComparison.Ordinal)]));
        }
    }

    [Fact]
    public async Task O26_O32_It_is_the_devices_key_that_counts_and_not_what_the_device_calls_itself()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        foreach (var agent in (string[])["Chrome/146", "Chrome/147", "Somebody/1.0"])
        {
            app.Time.Advance(CookieLifetime);
            using var answer = await browser.GetAsync("/who", ("User-Agent", agent), ("Accept-Language", "xx"));
            Assert.Equal("ada", await answer.Content.ReadAsStringAsync(Token));
        }

        using var copy = await app.SendAsync("/who", $"__Host-sid={browser.Cookies["__Host-sid"]}", ("User-Agent", "Somebody/1.0"), ("Accept-Language", "xx"));
        Assert.Equal(HttpStatusCode.Unauthorized, copy.StatusCode);
    }

    [Theory]
    [InlineData(SessionLoad.BeforeHandler)]
    [InlineData(SessionLoad.OnFirstUse)]
    public async Task A_copy_is_refused_whoever_asks_for_the_session_first(SessionLoad load)
    {
        await using var app = await BindingApp.StartAsync(
            options: o => o.Load = load,
            services: all =>
            {
                all.AddAuthentication().AddSojourn();
                all.AddAuthorization();
            },
            useSojourn: false,
            configure: each =>
            {
                each.UseAuthentication();
                each.UseAuthorization();
                each.UseSojourn();
                each.MapGet("/members", () => "members").RequireAuthorization();
                each.MapGet("/late", async (HttpContext context) => (await context.GetSessionAsync()).Subject);
                each.MapPost(
                    "/scheme/ada",
                    (HttpContext context) => context.SignInAsync(new(new System.Security.Claims.ClaimsIdentity([new("sub", "ada")], "password"))));
            });
        using var browser = app.NewBrowser();
        await browser.PostAsync("/scheme/ada");
        app.Time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal("200 members", await browser.TextAsync("/members"));
        foreach (var path in (string[])["/members", "/late", "/who", "/proved"])
        {
            using var answer = await app.SendAsync(path, $"__Host-sid={browser.Cookies["__Host-sid"]}");
            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, answer.StatusCode));
            Assert.Equal("urn:sojourn:device-proof-required", (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
        }

        using var plain = await app.SendAsync("/plain", $"__Host-sid={browser.Cookies["__Host-sid"]}");
        Assert.Equal(HttpStatusCode.OK, plain.StatusCode);
    }

    [Fact]
    public async Task An_old_bound_cookie_is_good_until_its_own_end_when_a_new_one_was_issued()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var old = browser.CookieHeader;
        app.Time.Advance(TimeSpan.FromMinutes(8));
        using (var refreshed = await browser.RefreshAsync())
        {
            Assert.Equal(HttpStatusCode.OK, refreshed.StatusCode);
            Assert.Equal("", await refreshed.Content.ReadAsStringAsync(Token));
        }

        Assert.NotEqual(old, browser.CookieHeader);
        using (var underWay = await app.SendAsync("/who", old))
        {
            Assert.Equal("ada", await underWay.Content.ReadAsStringAsync(Token));
        }

        app.Time.Advance(TimeSpan.FromMinutes(3));
        using var late = await app.SendAsync("/who", old);
        Assert.Equal(HttpStatusCode.Unauthorized, late.StatusCode);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(1, browser.RefreshRequests);
    }

    [Fact]
    public async Task Requests_that_were_on_their_way_when_the_session_was_bound_are_answered()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = app.NewBrowser();
        await browser.PostAsync("/in/ada");
        var session = $"__Host-sid={browser.Cookies["__Host-sid"]}";
        using var underWay = await app.SendAsync("/who", session);
        Assert.Equal("ada", await underWay.Content.ReadAsStringAsync(Token));
        using var unproved = await app.SendAsync("/proved", session);
        Assert.Equal(HttpStatusCode.Forbidden, unproved.StatusCode);
        app.Time.Advance(TimeSpan.FromSeconds(10));
        using var late = await app.SendAsync("/who", session);
        Assert.Equal(HttpStatusCode.Unauthorized, late.StatusCode);
    }

    [Fact]
    public async Task N9_An_endpoint_that_requires_it_lets_bound_sessions_through_alone()
    {
        await using var app = await BindingApp.StartAsync();
        using var bound = await app.SignInAsync();
        Assert.Equal("200 proved", await bound.TextAsync("/proved"));
        using var unbound = app.NewBrowser(binds: false);
        await unbound.PostAsync("/in/ada");
        using var stranger = app.NewBrowser();
        foreach (var browser in (BindingBrowser[])[unbound, stranger])
        {
            using var answer = await browser.GetAsync("/proved");
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.Equal("urn:sojourn:device-binding-required", (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
        }
    }

    [Fact]
    public async Task Where_the_policy_requires_it_an_unbound_session_ends_in_its_browser_when_the_time_to_register_is_over()
    {
        await using var app = await BindingApp.StartAsync(o => o.Policy = DeviceBindingPolicy.Required);
        using var bound = await app.SignInAsync();
        using var other = app.NewBrowser(binds: false);
        await other.PostAsync("/in/ada");
        Assert.Equal("200 ada", await other.TextAsync("/who"));
        app.Time.Advance(TimeSpan.FromMinutes(2) + TimeSpan.FromSeconds(1));
        using (var refused = await other.GetAsync("/who"))
        {
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
            Assert.Equal("urn:sojourn:device-binding-required", (await refused.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
        }

        Assert.Equal("200 nobody", await other.TextAsync("/who"));
        await other.PostAsync("/count");
        Assert.Equal("200 nobody", await other.TextAsync("/who"));
        Assert.Equal("200 ada", await bound.TextAsync("/who"));
    }

    [Theory]
    [InlineData("/out")]
    [InlineData("elsewhere")]
    public async Task A10_Revoked_is_revoked_at_once_for_the_bound_cookie_and_for_the_refresh(string how)
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var copied = browser.CookieHeader;
        if (how == "/out")
        {
            using var goodbye = await browser.PostAsync("/out");
            Assert.Equal(HttpStatusCode.OK, goodbye.StatusCode);
            Assert.Empty(browser.Cookies);
        }
        else
        {
            await app.Services.GetRequiredService<Administration.ISessionAdministration>().EndAsync(
                new() { Subject = "ada" }, SessionEndReason.ByOperator, Token);
        }

        using (var answer = await app.SendAsync("/who", copied))
        {
            Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
        }

        using var refresh = await browser.RefreshAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, refresh.StatusCode);
        Assert.Null(browser.Binding);
        Assert.Equal("200 nobody", await browser.TextAsync("/who"));
        Assert.Equal(how == "/out" ? 1 : 2, browser.RefreshRequests);
    }

    [Fact]
    public async Task The_binding_moves_with_the_session_to_a_new_id_and_stays_when_the_same_user_proves_it_again()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var id = browser.Binding!.Id;
        foreach (var step in (string[])["/renew", "/confirm", "/in/ada"])
        {
            var before = browser.Cookies["__Host-sid"];
            using (var answer = await browser.PostAsync(step))
            {
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            }

            Assert.NotEqual(before, browser.Cookies["__Host-sid"]);
            app.Time.Advance(CookieLifetime);
            Assert.Equal("200 proved", await browser.TextAsync("/proved"));
            Assert.Equal(id, browser.Binding!.Id);
        }

        Assert.Equal(3, browser.RefreshRequests);
    }

    [Fact]
    public async Task Another_user_who_signs_in_begins_unbound_and_is_offered_a_binding_of_their_own()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync("ada");
        var (old, cookie) = (browser.Binding!.Id, browser.Cookies["__Host-sidb"]);
        await browser.PostAsync("/in/bob");
        Assert.NotEqual(old, browser.Binding.Id);
        Assert.NotEqual(cookie, browser.Cookies["__Host-sidb"]);
        Assert.Equal("200 proved", await browser.TextAsync("/proved"));
    }

    [Fact]
    public async Task A_browser_that_missed_the_offer_finds_it_with_its_next_page_while_the_sign_in_is_fresh()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = app.NewBrowser(binds: false);
        await browser.PostAsync("/in/ada");
        var first = browser.Offer;
        (string, string)[] page = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
        Assert.False((await browser.GetAsync("/page", page)).Headers.Contains("Secure-Session-Registration"));
        app.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.False((await browser.GetAsync("/who")).Headers.Contains("Secure-Session-Registration"));
        using (var offer = await browser.GetAsync("/page", page))
        {
            Assert.Equal("no-store", offer.Headers.CacheControl?.ToString());
        }

        Assert.NotEqual(first, browser.Offer);
        app.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.False((await browser.GetAsync("/page", page)).Headers.Contains("Secure-Session-Registration"));

        // Who comes later may be somebody else.
        using var late = await browser.RegisterAsync();
        Assert.Equal(HttpStatusCode.Forbidden, late.StatusCode);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
    }

    [Fact]
    public async Task A_refresh_is_no_use_of_the_session()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var expires = await browser.TextAsync("/expires");
        app.Time.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(HttpStatusCode.OK, (await browser.RefreshAsync()).StatusCode);
        app.Time.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(HttpStatusCode.OK, (await browser.RefreshAsync()).StatusCode);
        app.Time.Advance(TimeSpan.FromMinutes(1.9));
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.RefreshAsync()).StatusCode);
        Assert.StartsWith("200", expires, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_challenge_that_is_too_old_or_unknown_is_answered_with_one_that_is_good()
    {
        await using var app = await BindingApp.StartAsync(options: o => o.IdleTimeout = TimeSpan.FromDays(1));
        using var browser = await app.SignInAsync();
        app.Time.Advance(CookieLifetime + TimeSpan.FromMinutes(5));
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(2, browser.RefreshRequests);
        browser.Binding!.Challenge = "made-up";
        app.Time.Advance(CookieLifetime);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(4, browser.RefreshRequests);

        // One who forgot it asks without a proof, and that changes nothing that is stored.
        browser.Binding.Challenge = null;
        app.Time.Advance(CookieLifetime);
        app.Store.ResetCounts();
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(6, browser.RefreshRequests);
        Assert.Equal(1, app.Store.CallsOf(StoreVerb.Replace));
    }

    [Fact]
    public async Task A_store_that_fails_is_503_to_the_refresh_and_to_the_held_request_and_ends_no_binding()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        app.Time.Advance(CookieLifetime);
        app.Store.On(StoreVerb.Replace).Fail(times: 1);
        using (var held = await browser.GetAsync("/who"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, held.StatusCode);
            Assert.Equal("urn:sojourn:device-proof-unavailable", (await held.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("type").GetString());
            Assert.NotNull(held.Headers.RetryAfter);
            Assert.False(held.Headers.Contains("Set-Cookie"));
        }

        Assert.NotNull(browser.Binding);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));

        // An answer that was lost took the challenge with it: the next one is told.
        app.Time.Advance(CookieLifetime);
        app.Store.On(StoreVerb.Replace).LoseAnswer(times: 1);
        Assert.StartsWith("503", await browser.TextAsync("/who"), StringComparison.Ordinal);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        app.Store.On(StoreVerb.Read).Fail(times: 1);
        using var refresh = await browser.RefreshAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refresh.StatusCode);
        Assert.NotNull(refresh.Headers.RetryAfter);
    }

    [Fact]
    public async Task Only_who_knows_the_bindings_id_can_say_that_the_browser_could_not_refresh_and_gets_503_for_it()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var session = $"__Host-sid={browser.Cookies["__Host-sid"]}";
        foreach (var (said, status) in ((string, HttpStatusCode)[])[
            ($"quota_exceeded;session_identifier=\"{browser.Binding!.Id}\"", HttpStatusCode.ServiceUnavailable),
            ($"unreachable;session_identifier=\"other\", server_error;session_identifier={browser.Binding.Id}", HttpStatusCode.ServiceUnavailable),
            ("unreachable;session_identifier=\"other\"", HttpStatusCode.Unauthorized),
            ("server_error", HttpStatusCode.Unauthorized),
            ($"because;session_identifier=\"{browser.Binding.Id}\"", HttpStatusCode.Unauthorized)])
        {
            using var answer = await app.SendAsync("/who", session, ("Secure-Session-Skipped", said));
            Assert.Equal(status, answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_page_that_is_asked_for_from_elsewhere_asks_again_by_itself_and_loses_no_cookie()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var session = $"__Host-sid={browser.Cookies["__Host-sid"]}";
        foreach (var site in (string[])["cross-site", "same-site"])
        {
            using var page = await app.SendAsync("/page", session, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"));
            Assert.Equal(HttpStatusCode.Unauthorized, page.StatusCode);
            Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
            var html = await page.Content.ReadAsStringAsync(Token);
            Assert.Contains("http-equiv=\"refresh\"", html, StringComparison.Ordinal);
            Assert.DoesNotContain("ada", html, StringComparison.Ordinal);
            Assert.False(page.Headers.Contains("Set-Cookie"));
            using var script = await app.SendAsync("/who", session, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "cors"));
            Assert.Equal("application/problem+json", script.Content.Headers.ContentType?.MediaType);
            Assert.False(script.Headers.Contains("Set-Cookie"));
        }
    }

    [Fact]
    public async Task Nothing_of_the_applications_pipeline_answers_in_place_of_the_two_endpoints()
    {
        await using var app = await BindingApp.StartAsync(
            services: all => all.AddRateLimiter(o =>
            {
                o.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
                o.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context => context.Request.Path.StartsWithSegments("/session")
                    ? RateLimitPartition.GetConcurrencyLimiter("", _ => new() { PermitLimit = 1, QueueLimit = 0 })
                    : RateLimitPartition.GetNoLimiter("free"));
            }),
            useSojourn: false,
            configure: each =>
            {
                each.Use((context, next) =>
                {
                    if (!context.Request.Path.StartsWithSegments("/session"))
                    {
                        return next(context);
                    }

                    context.Response.Redirect("/maintenance");
                    return Task.CompletedTask;
                });
                each.UseRateLimiter();
                each.UseSojourn();
            });
        using var browser = await app.SignInAsync();
        app.Time.Advance(CookieLifetime);
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.Equal(1, browser.RefreshRequests);
    }

    [Fact]
    public async Task An_application_under_a_path_of_its_own_is_bound_there()
    {
        await using var app = await BindingApp.StartAsync(o => o.Path = "/shop/session/binding", useSojourn: false, configure: each =>
        {
            each.UsePathBase("/shop");
            each.UseRouting();
            each.UseSojourn();
        });
        using var browser = app.NewBrowser();
        await browser.PostAsync("/shop/in/ada");
        Assert.Equal("/shop/session/binding/refresh", browser.Binding!.RefreshPath);
        app.Time.Advance(CookieLifetime);
        Assert.Equal("200 ada", await browser.TextAsync("/shop/who"));
    }

    [Fact]
    public async Task The_answers_of_the_endpoints_are_for_the_browser_itself_and_kept_nowhere()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        using var refreshed = await browser.RefreshAsync();
        Assert.Equal("no-store", refreshed.Headers.CacheControl?.ToString());
        Assert.Equal("same-origin", Assert.Single(refreshed.Headers.GetValues("Cross-Origin-Resource-Policy")));
        Assert.Equal("DENY", Assert.Single(refreshed.Headers.GetValues("X-Frame-Options")));
        Assert.False(refreshed.Headers.Contains("Access-Control-Allow-Origin"));
        var path = browser.Binding!.RefreshPath;
        using var get = await browser.SendBareAsync(HttpMethod.Get, path, ("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", browser.Binding.Id));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
        foreach (var site in (string[])["cross-site", "same-site", "none"])
        {
            using var foreign = await browser.SendBareAsync(HttpMethod.Post, path, ("Sec-Fetch-Site", site), ("Sec-Secure-Session-Id", browser.Binding.Id));
            Assert.Equal(HttpStatusCode.Forbidden, foreign.StatusCode);
            Assert.False(foreign.Headers.Contains("Secure-Session-Challenge"));
        }

        // A script of the page's own can send no header that begins with Sec-.
        using var script = await browser.SendBareAsync(HttpMethod.Post, path, ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(HttpStatusCode.BadRequest, script.StatusCode);
    }

    [Fact]
    public async Task A_secret_that_is_on_its_way_out_still_proves_what_it_signed()
    {
        var before = await BindingApp.StartAsync(options: o => o.Secrets = ["the old secret of these tests"]);
        using var browser = await before.SignInAsync();
        var cookies = browser.CookieHeader;
        await using var after = await BindingApp.StartAsync(options: o => o.Secrets = ["the new secret of these tests", "the old secret of these tests"]);
        var record = Assert.Single(await before.Store.As<Storage.ISessionIndex>()!.FindAsync("subject:ada", Token));
        await after.Store.CreateAsync(record.Key, record.Value, Token);
        await before.DisposeAsync();
        using var answer = await after.SendAsync("/proved", cookies);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
