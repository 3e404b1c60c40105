using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>Refreshes and registrations that meet each other, writers, and the end of the session.</summary>
public sealed class DeviceBindingRaceTests
{
    private const int Rounds = 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_parallel_answers_to_one_challenge_one_is_taken()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        for (var round = 0; round < Rounds; round++)
        {
            var proof = browser.Key.Proof(browser.Binding!.Challenge!, withKey: false);
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 6).Select(_ => Task.Run(() => SendAsync(app, browser, browser.Binding.RefreshPath, proof), Token)));
            var taken = Assert.Single(answers, each => each.StatusCode == HttpStatusCode.OK);
            Assert.All(answers, each => Assert.Equal(ChallengeOf(taken), ChallengeOf(each)));
            Assert.Equal(5, answers.Count(each => each.StatusCode == HttpStatusCode.Forbidden));
            browser.Binding.Challenge = ChallengeOf(taken);
        }
    }

    [Fact]
    public async Task Two_answers_that_both_saw_the_challenge_open_do_not_both_take_it()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var proof = browser.Key.Proof(browser.Binding!.Challenge!, withKey: false);
        var held = app.Store.On(StoreVerb.Replace).Hold();
        var slow = SendAsync(app, browser, browser.Binding.RefreshPath, proof);
        await held.Arrived;

        // It has read the session by now; the first is about to change it.
        app.Store.ResetCounts();
        var late = SendAsync(app, browser, browser.Binding.RefreshPath, proof);
        while (app.Store.CallsOf(StoreVerb.Read) == 0)
        {
            await Task.Delay(1, Token);
        }

        held.Release();
        Assert.Equal(HttpStatusCode.OK, (await slow).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await late).StatusCode);
    }

    [Fact]
    public async Task Of_parallel_registrations_one_binds()
    {
        await using var app = await BindingApp.StartAsync();
        for (var round = 0; round < Rounds; round++)
        {
            using var browser = app.NewBrowser(binds: false);
            await browser.PostAsync("/in/ada");
            var (path, challenge) = browser.Offer!.Value;
            using var thief = DeviceKey.New();
            var answers = await Task.WhenAll(
                ((DeviceKey[])[browser.Key, thief]).Select(key => Task.Run(() => SendAsync(app, browser, path, key.Proof(challenge, withKey: true)), Token)));
            Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Conflict], answers.Select(each => each.StatusCode).Order());
        }
    }

    [Fact]
    public async Task Writers_and_refreshes_lose_nothing_of_each_others_work()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        for (var round = 0; round < Rounds; round++)
        {
            var proof = browser.Key.Proof(browser.Binding!.Challenge!, withKey: false);
            var refresh = Task.Run(() => SendAsync(app, browser, browser.Binding.RefreshPath, proof), Token);
            var counts = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => browser.SendBareAsync(HttpMethod.Post, "/count"), Token)));
            Assert.All(counts, each => Assert.Equal(HttpStatusCode.OK, each.StatusCode));
            using var answer = await refresh;
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            browser.Binding.Challenge = ChallengeOf(answer);
        }

        using var last = await browser.SendBareAsync(HttpMethod.Post, "/count");
        Assert.Equal($"{(Rounds * 4) + 1}", await last.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task A_refresh_that_meets_the_end_of_its_session_revives_nothing()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var copied = browser.CookieHeader;
        var held = app.Store.On(StoreVerb.Replace).Hold();
        var refresh = browser.RefreshAsync();
        await held.Arrived;

        // By the administration, which waits for nobody's turn.
        await app.Services.GetRequiredService<ISessionAdministration>().EndAsync(new SessionFilter { Subject = "ada" }, SessionEndReason.ByOperator, Token);
        held.Release();
        Assert.Equal(HttpStatusCode.Unauthorized, (await refresh).StatusCode);
        Assert.Equal(2, browser.RefreshRequests);
        Assert.Null(browser.Binding);
        using var answer = await app.SendAsync("/who", copied);
        Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task A_refresh_that_meets_a_sign_out_ends_one_way_and_leaves_nobody_signed_in()
    {
        await using var app = await BindingApp.StartAsync();
        for (var round = 0; round < Rounds; round++)
        {
            using var browser = await app.SignInAsync();
            var copied = browser.CookieHeader;
            using var request = Request(app, browser, browser.Binding!.RefreshPath, browser.Key.Proof(browser.Binding.Challenge!, withKey: false));
            var refresh = Client.SendAsync(request, Token);
            using var goodbye = await browser.SendBareAsync(HttpMethod.Post, "/out");
            Assert.Equal(HttpStatusCode.OK, goodbye.StatusCode);
            using var refreshed = await refresh;
            Assert.Contains(refreshed.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.Forbidden]);
            using var answer = await app.SendAsync("/who", copied);
            Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refresh_beside_a_request_that_renews_the_id_comes_once_more_and_keeps_its_key(bool isSeenBefore)
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        var (id, proof) = (browser.Binding!.Id, browser.Key.Proof(browser.Binding.Challenge!, withKey: false));
        using var old = Request(app, browser, browser.Binding.RefreshPath, proof);
        var held = app.Store.On(StoreVerb.Create).Hold();
        var renewal = browser.SendBareAsync(HttpMethod.Post, "/renew");
        await held.Arrived;
        app.Store.ResetCounts();
        var refresh = isSeenBefore ? Client.SendAsync(old, Token) : null;
        while (isSeenBefore && app.Store.CallsOf(StoreVerb.Read) == 0)
        {
            await Task.Delay(1, Token);
        }

        held.Release();
        Assert.Equal(HttpStatusCode.OK, (await renewal).StatusCode);
        using var asked = await (refresh ?? Client.SendAsync(old, Token));
        Assert.Equal(HttpStatusCode.Forbidden, asked.StatusCode);

        // The browser has the new cookie by now.
        browser.Binding.Challenge = ChallengeOf(asked);
        Assert.Equal(HttpStatusCode.OK, (await browser.RefreshAsync()).StatusCode);
        Assert.Equal(id, browser.Binding.Id);
        Assert.Equal("200 proved", await browser.TextAsync("/proved"));
    }

    [Fact]
    public async Task A_refresh_with_an_id_that_renewed_itself_is_answered_in_the_grace()
    {
        await using var app = await BindingApp.StartAsync(options: o => o.RenewIdAfter = TimeSpan.FromMinutes(5));
        using var browser = await app.SignInAsync();
        app.Time.Advance(TimeSpan.FromMinutes(8));
        using var old = Request(app, browser, browser.Binding!.RefreshPath, browser.Key.Proof(browser.Binding.Challenge!, withKey: false));
        var before = browser.Cookies["__Host-sid"];
        Assert.Equal("200 ada", await browser.TextAsync("/who"));
        Assert.NotEqual(before, browser.Cookies["__Host-sid"]);
        using var answer = await Client.SendAsync(old, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        browser.Binding.Challenge = ChallengeOf(answer);
        app.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal("200 proved", await browser.TextAsync("/proved"));
        Assert.Equal(1, browser.RefreshRequests);
    }

    /// <summary>As the browser, but by itself, so that several may be under way.</summary>
    private static async Task<HttpResponseMessage> SendAsync(BindingApp app, BindingBrowser browser, string path, string proof)
    {
        using var request = Request(app, browser, path, proof);
        return await Client.SendAsync(request, Token);
    }

    private static HttpRequestMessage Request(BindingApp app, BindingBrowser browser, string path, string proof)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(app.Address, path))
        {
            Headers = { { "Cookie", browser.CookieHeader }, { "Sec-Fetch-Site", "same-origin" }, { "Secure-Session-Response", proof } },
        };
        if (browser.Binding is { } binding)
        {
            request.Headers.Add("Sec-Secure-Session-Id", binding.Id);
        }

        return request;
    }

    private static readonly HttpClient Client = BindingApp.NewClient();

    private static string ChallengeOf(HttpResponseMessage answer) => Assert.Single(answer.Headers.GetValues("Secure-Session-Challenge")).Split('"')[1];
}
