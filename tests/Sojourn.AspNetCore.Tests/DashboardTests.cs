using System.Net;
using System.Security.Claims;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Dashboard;
using Sojourn.Dashboard.Metrics;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The operator's page over HTTP: who may what, and what it tells.</summary>
public sealed partial class DashboardTests
{
    private const string Value = "the value of an entry";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());
    private readonly FakeLogCollector _logs = new();
    private readonly EventLog _events = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task O30_Outside_Development_it_does_not_start_unless_a_policy_says_who_may_see_it()
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(_ => { }, "Production"));
        Assert.Contains("set SojournDashboardOptions.ReadPolicy", refused.Message, StringComparison.Ordinal);
        var misspelt = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(o => o.ReadPolicy = "raeders", "Production"));
        Assert.Contains("there is no such policy", misspelt.Message, StringComparison.Ordinal);
        var halved = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(o => o.EndPolicy = "enders"));
        Assert.Contains("ReadPolicy, which is not set", halved.Message, StringComparison.Ordinal);
        await using var app = await StartAsync(_ => { });
        using var anybody = app.NewClient();
        Assert.Contains("Open to everybody: this is Development", await anybody.GetStringAsync("/sessions", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task O30_Without_AddSojournDashboard_the_message_says_what_to_call()
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => TestApp.StartAsync(app => app.MapSojournDashboard()));
        Assert.Contains("builder.Services.AddSojournDashboard", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task O30_Reading_ending_and_looking_at_values_are_rights_of_their_own()
    {
        await using var app = await StartAsync(AllPolicies);
        using var victim = await SignInAsync(app, "ada", "customer");
        var handle = await HandleOfAsync(app, "ada");
        string[] pages = ["", "/list", "/health", "/live", "/assets/dashboard.css", $"/one/{handle}"];
        using var stranger = app.NewClient();
        using var customer = await SignInAsync(app, "bob", "customer");
        using var reader = await SignInAsync(app, "rita", "reader");
        using var ender = await SignInAsync(app, "enno", "reader", "ender");
        using var looker = await SignInAsync(app, "vera", "reader", "looker");
        foreach (var page in pages)
        {
            Assert.Equal("/account/login", (await HeadAsync(stranger, "/sessions" + page)).Headers.Location?.AbsolutePath);
            Assert.Equal("/account/denied", (await HeadAsync(customer, "/sessions" + page)).Headers.Location?.AbsolutePath);
            Assert.Equal(HttpStatusCode.OK, (await HeadAsync(reader, "/sessions" + page)).StatusCode);
        }

        var asReader = await reader.GetStringAsync($"/sessions/one/{handle}", Token);
        Assert.DoesNotContain("End this session", asReader, StringComparison.Ordinal);
        Assert.DoesNotContain("Show values", asReader, StringComparison.Ordinal);
        foreach (var path in (string[])[$"/one/{handle}/end", "/subject/end?subject=ada", $"/one/{handle}/values"])
        {
            Assert.Equal("/account/denied", (await PostFormAsync(reader, "/sessions" + path, asReader)).Headers.Location?.AbsolutePath);
        }

        Assert.Equal("/account/denied", (await reader.GetAsync($"/sessions/one/{handle}/end", Token)).Headers.Location?.AbsolutePath);
        Assert.Equal("/account/denied", (await PostFormAsync(looker, $"/sessions/one/{handle}/end", asReader)).Headers.Location?.AbsolutePath);
        Assert.Equal("/account/denied", (await PostFormAsync(ender, $"/sessions/one/{handle}/values", asReader)).Headers.Location?.AbsolutePath);
        Assert.Equal("ada", await victim.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task O30_Without_policies_for_them_nobody_ends_or_looks_at_values()
    {
        await using var app = await StartAsync(o => o.ReadPolicy = "readers");
        using var victim = await SignInAsync(app, "ada", "customer");
        var handle = await HandleOfAsync(app, "ada");
        using var all = await SignInAsync(app, "olga", "reader", "ender", "looker");
        var page = await all.GetStringAsync($"/sessions/one/{handle}", Token);
        Assert.DoesNotContain("End this session", page, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await PostFormAsync(all, $"/sessions/one/{handle}/end", page)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await PostFormAsync(all, $"/sessions/one/{handle}/values", page)).StatusCode);
    }

    [Fact]
    public async Task O30_A25_A_form_of_another_site_or_without_its_token_does_nothing()
    {
        await using var app = await StartAsync(AllPolicies);
        using var victim = await SignInAsync(app, "ada", "customer");
        var handle = await HandleOfAsync(app, "ada");
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync($"/sessions/one/{handle}/end", Token);
        foreach (var path in (string[])[$"/sessions/one/{handle}/end", "/sessions/subject/end?subject=ada", $"/sessions/one/{handle}/values"])
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await olga.PostAsync(path, null, Token)).StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, (await PostFormAsync(olga, path, page, ("Sec-Fetch-Site", "cross-site"))).StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, (await PostFormAsync(olga, path, page, ("Origin", "https://evil.example"))).StatusCode);
        }

        using var other = await OperatorAsync(app, "otto");
        Assert.Equal(HttpStatusCode.BadRequest, (await PostFormAsync(other, $"/sessions/one/{handle}/end", page)).StatusCode);
        Assert.Equal("ada", await victim.GetStringAsync("/who", Token));
        Assert.DoesNotContain(_events.All, e => e.Kind is SessionEventKind.Inspected or SessionEventKind.Ended);
    }

    [Fact]
    public async Task O30_Every_response_lets_nothing_run_that_is_not_its_own_and_is_kept_nowhere()
    {
        await using var app = await StartAsync(AllPolicies);
        using var victim = await SignInAsync(app, "ada", "customer");
        var handle = await HandleOfAsync(app, "ada");
        using var olga = await OperatorAsync(app);
        foreach (var path in PagesOf(handle))
        {
            using var response = await HeadAsync(olga, path);
            var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
            Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
            Assert.Contains("script-src 'self';", policy, StringComparison.Ordinal);
            Assert.Contains("style-src 'self';", policy, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
            Assert.True(response.Headers.CacheControl!.NoStore, path);
        }

        var html = await olga.GetStringAsync("/sessions", Token);
        Assert.DoesNotMatch(@"<script(?![^>]*\bsrc=)|\bon[a-z]+=""|\bstyle=""|<style|javascript:|https?://", html);
    }

    [Fact]
    public async Task O30_V30_Nothing_on_any_page_opens_a_session_and_no_page_shows_values_unasked()
    {
        await using var app = await StartAsync(AllPolicies);
        var clients = new List<HttpClient>();
        for (var i = 0; i < 60; i++)
        {
            clients.Add(await SignInAsync(app, i == 0 ? "ada" : $"user{i}", "customer"));
        }

        using var olga = await OperatorAsync(app);
        var handle = await HandleOfAsync(app, "ada");
        string[] paths = [.. PagesOf(handle), "/sessions/list?find=ada", "/sessions/list?after=broken"];
        var pages = new List<string>();
        foreach (var path in paths)
        {
            using var response = await HeadAsync(olga, path);
            pages.Add(path.Contains("/live", StringComparison.Ordinal)
                ? await FirstEventAsync(response)
                : await response.Content.ReadAsStringAsync(Token) + string.Concat(
                    response.Headers.Where(header => header.Key != "Set-Cookie").SelectMany(header => header.Value)));
        }

        Assert.Contains("rel=\"next\"", pages[1], StringComparison.Ordinal);
        var all = WebUtility.HtmlDecode(string.Concat(pages));
        all += Uri.UnescapeDataString(all);
        Assert.DoesNotContain(TestApp.Secret, all, StringComparison.Ordinal);
        Assert.DoesNotContain(Value, all, StringComparison.Ordinal);
        foreach (var client in clients.Append(olga))
        {
            var token = WebUtility.UrlDecode(TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value);
            Assert.DoesNotContain(token["s:".Length..token.IndexOf('.', StringComparison.Ordinal)], all, StringComparison.Ordinal);
        }

        var index = ((ISessionStore)_store).As<ISessionIndex>()!;
        foreach (var (key, _) in await index.PageAsync(null, 1_000, Token))
        {
            Assert.DoesNotContain(key, all, StringComparison.Ordinal);
        }

        clients.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task O30_Each_look_at_values_is_told_of_with_the_operators_name()
    {
        await using var app = await StartAsync(AllPolicies);
        using var victim = await SignInAsync(app, "ada", "customer");
        var handle = await HandleOfAsync(app, "ada");
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync($"/sessions/one/{handle}", Token);
        Assert.DoesNotContain(Value, page, StringComparison.Ordinal);
        var values = await (await PostFormAsync(olga, $"/sessions/one/{handle}/values", page)).Content.ReadAsStringAsync(Token);
        Assert.Contains(Value, values, StringComparison.Ordinal);
        Assert.Contains("values looked at by olga", values, StringComparison.Ordinal);
        var told = Assert.Single(_events.All, e => e.Kind == SessionEventKind.Inspected);
        Assert.Equal((handle, "ada", "olga"), (told.Handle, told.Subject, told.By));
        Assert.Contains(
            _logs.GetSnapshot(),
            log => log.Id.Id == 201 && log.Message.Contains("olga", StringComparison.Ordinal) && log.Message.Contains(handle, StringComparison.Ordinal));
        Assert.DoesNotContain(_logs.GetSnapshot(), log => log.Message.Contains(Value, StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.NotFound, (await PostFormAsync(olga, "/sessions/one/nobodys/values", page)).StatusCode);
        Assert.Single(_events.All, e => e.Kind == SessionEventKind.Inspected);
    }

    [Fact]
    public async Task One_session_is_ended_after_a_page_has_asked()
    {
        await using var app = await StartAsync(AllPolicies);
        using var phone = await SignInAsync(app, "ada", "customer");
        using var laptop = await SignInAsync(app, "ada", "customer");
        var handle = await phone.GetStringAsync("/handle", Token);
        using var olga = await OperatorAsync(app);
        var ask = await olga.GetStringAsync($"/sessions/one/{handle}/end", Token);
        Assert.Contains("End this session?", ask, StringComparison.Ordinal);
        Assert.Equal("ada", await phone.GetStringAsync("/who", Token));
        var done = await PostFormAsync(olga, $"/sessions/one/{handle}/end", ask);
        Assert.Contains("The session has ended", await done.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Equal("", await phone.GetStringAsync("/who", Token));
        Assert.Equal("ada", await laptop.GetStringAsync("/who", Token));
        Assert.Contains(_events.All, e => e is { Kind: SessionEventKind.Ended, Reason: SessionEndReason.ByOperator } && e.Handle == handle);
        Assert.Contains(_logs.GetSnapshot(), log => log.Id.Id == 202 && log.Message.Contains("olga", StringComparison.Ordinal));
        var gone = await olga.GetAsync($"/sessions/one/{handle}", Token);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Contains("ended: by an operator", await gone.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await PostFormAsync(olga, $"/sessions/one/{handle}/end", ask)).StatusCode);
    }

    [Fact]
    public async Task All_sessions_of_a_subject_are_ended_also_ones_own()
    {
        await using var app = await StartAsync(AllPolicies);
        using var phone = await SignInAsync(app, "a+d&a", "customer");
        using var laptop = await SignInAsync(app, "a+d&a", "customer");
        using var olga = await OperatorAsync(app);
        var ask = await olga.GetStringAsync("/sessions/subject/end?subject=a%2Bd%26a", Token);
        Assert.Contains("End all 2 sessions of a+d&a?", WebUtility.HtmlDecode(ask), StringComparison.Ordinal);
        Assert.Contains(
            "2 sessions have ended", await (await PostFormAsync(olga, "/sessions/subject/end?subject=a%2Bd%26a", ask)).Content.ReadAsStringAsync(Token),
            StringComparison.Ordinal);
        Assert.Equal("", await phone.GetStringAsync("/who", Token));
        Assert.Equal("", await laptop.GetStringAsync("/who", Token));
        var own = await olga.GetStringAsync("/sessions/subject/end?subject=olga", Token);
        Assert.Contains("Your own session is among them", own, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await PostFormAsync(olga, "/sessions/subject/end?subject=olga", own)).StatusCode);
        Assert.Equal(HttpStatusCode.Redirect, (await olga.GetAsync("/sessions", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await (await OperatorAsync(app)).GetAsync("/sessions/subject/end", Token)).StatusCode);
    }

    [Fact]
    public async Task Pages_of_the_list_show_every_session_once()
    {
        await using var app = await StartAsync(AllPolicies);
        using var olga = await OperatorAsync(app);
        await FillAsync(app, 130);
        var seen = new List<string>();
        for (var next = "/sessions/list"; next is not null;)
        {
            var page = await olga.GetStringAsync(next, Token);
            seen.AddRange(Handles().Matches(page).Select(match => match.Groups[1].Value));
            next = Next().Match(page) is { Success: true } match ? WebUtility.HtmlDecode(match.Groups[1].Value) : null;
        }

        Assert.Equal(131, seen.Count);
        Assert.Equal(131, seen.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task Sessions_are_found_by_subject_and_by_handle_and_the_page_is_filtered()
    {
        await using var app = await StartAsync(AllPolicies);
        using var old = await SignInAsync(app, "ada", "customer");
        _time.Advance(TimeSpan.FromMinutes(10));
        using var young = await SignInAsync(app, "ada", "customer");
        young.DefaultRequestHeaders.UserAgent.ParseAdd("Phone/2.0");
        await young.PostAsync("/in/ada?roles=customer", null, Token);
        using var bob = await SignInAsync(app, "bob", "customer");
        using var olga = await OperatorAsync(app);
        var (oldHandle, youngHandle) = (await old.GetStringAsync("/handle", Token), await young.GetStringAsync("/handle", Token));
        var bySubject = await olga.GetStringAsync("/sessions/list?find=ada", Token);
        Assert.Equal(new[] { oldHandle, youngHandle }.ToHashSet(), [.. Handles().Matches(bySubject).Select(match => match.Groups[1].Value)]);
        Assert.Contains("2 sessions found for ada", bySubject, StringComparison.Ordinal);
        Assert.Equal(
            [oldHandle], Handles().Matches(await olga.GetStringAsync($"/sessions/list?find={oldHandle}", Token)).Select(match => match.Groups[1].Value));
        Assert.Contains("Nothing found for nobody", await olga.GetStringAsync("/sessions/list?find=nobody", Token), StringComparison.Ordinal);
        Assert.Equal([youngHandle], Handles().Matches(await olga.GetStringAsync("/sessions/list?device=phone", Token)).Select(match => match.Groups[1].Value));
        Assert.Equal([oldHandle], Handles().Matches(await olga.GetStringAsync("/sessions/list?age=gt5m", Token)).Select(match => match.Groups[1].Value));
        Assert.DoesNotContain(oldHandle, await olga.GetStringAsync("/sessions/list?age=lt5m", Token), StringComparison.Ordinal);
        Assert.Contains("None of this page passes the filter", await olga.GetStringAsync("/sessions/list?seen=gt7d", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_sessions_page_tells_its_times_its_entries_and_its_life()
    {
        await using var app = await StartAsync(AllPolicies);
        using var ada = await SignInAsync(app, "ada", "customer");
        _time.Advance(TimeSpan.FromMinutes(3));
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync($"/sessions/one/{await HandleOfAsync(app, "ada")}", Token);
        Assert.Contains("2030-01-02 03:04:05 UTC", page, StringComparison.Ordinal);
        Assert.Contains("3 min ago", page, StringComparison.Ordinal);
        Assert.Contains(">note</th>", page, StringComparison.Ordinal);
        Assert.Contains($"{Value.Length + 2} B", page, StringComparison.Ordinal);
        Assert.Contains("signed in", page, StringComparison.Ordinal);
        Assert.Contains("created", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_of_visitors_who_have_not_signed_in_have_a_handle_too()
    {
        await using var app = await StartAsync(AllPolicies);
        using var visitor = app.NewClient();
        await visitor.PostAsync("/note", null, Token);
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync("/sessions/list", Token);
        Assert.Equal(2, Handles().Count(page));
        Assert.Contains("nobody", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_side_by_side_have_pages_of_their_own()
    {
        await using var app = await StartAsync(AllPolicies, services: services => services.AddSojourn("admin"));
        using var ada = await SignInAsync(app, "ada", "customer");
        var admin = app.Services.GetRequiredKeyedService<SessionManager>("admin").Create();
        await admin.SignInAsync("root", cancellationToken: Token);
        using var olga = await OperatorAsync(app);
        var list = await olga.GetStringAsync("/sessions/of/admin/list", Token);
        Assert.Contains("root", list, StringComparison.Ordinal);
        Assert.DoesNotContain(">ada<", list, StringComparison.Ordinal);
        Assert.DoesNotContain("root", await olga.GetStringAsync("/sessions/list", Token), StringComparison.Ordinal);
        var ask = await olga.GetStringAsync($"/sessions/of/admin/one/{admin.Handle}/end", Token);
        Assert.Equal(HttpStatusCode.OK, (await PostFormAsync(olga, $"/sessions/of/admin/one/{admin.Handle}/end", ask)).StatusCode);
        Assert.Null(await app.Services.GetRequiredKeyedService<ISessionAdministration>("admin").FindAsync(admin.Handle!, Token));
        Assert.Equal(HttpStatusCode.NotFound, (await olga.GetAsync("/sessions/of/nothing/list", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Redirect, (await ada.GetAsync("/sessions/of/admin/list", Token)).StatusCode);
    }

    [Fact]
    public async Task A_store_without_an_index_says_what_it_cannot_show_and_the_rest_works()
    {
        await using var app = await StartAsync(AllPolicies, store: new PlainStore(_store));
        using var olga = await OperatorAsync(app);
        Assert.Contains("This store cannot list its sessions", await olga.GetStringAsync("/sessions", Token), StringComparison.Ordinal);
        var list = await olga.GetAsync("/sessions/list", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, list.StatusCode);
        Assert.Contains("no index (ISessionIndex)", await list.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Contains("Let the store implement ISessionIndex", await olga.GetStringAsync("/sessions/health", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_fails_is_said_to_and_what_was_measured_stays()
    {
        await using var app = await StartAsync(AllPolicies, store: new BrokenIndexStore(_store));
        using var olga = await OperatorAsync(app);
        _store.On(StoreVerb.Create).Fail();
        var list = await olga.GetAsync("/sessions/list", Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, list.StatusCode);
        Assert.Contains("The store does not answer", await list.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        var overview = await olga.GetStringAsync("/sessions", Token);
        Assert.Contains("The store does not answer", overview, StringComparison.Ordinal);
        Assert.Contains("See that the database runs", await olga.GetStringAsync("/sessions/health", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_overview_counts_sessions_and_what_became_of_them()
    {
        await using var app = await StartAsync(AllPolicies);
        using var ada = await SignInAsync(app, "ada", "customer");
        using var bob = await SignInAsync(app, "bob", "customer");
        await bob.PostAsync("/out", null, Token);
        using var visitor = app.NewClient();
        await visitor.PostAsync("/note", null, Token);
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync("/sessions", Token);
        Assert.Equal("3", Tile(page, "Alive"));
        Assert.Equal("2", Tile(page, "Signed in"));
        Assert.Equal("1", Tile(page, "Not signed in"));
        Assert.Equal("4", Tile(page, "Created"));
        Assert.Equal("1", Tile(page, "Ended"));
        Assert.Equal("3", Tile(page, "Sign-ins"));
        Assert.Contains("Signed out", page, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(11));
        page = await olga.GetStringAsync("/sessions", Token);
        Assert.Equal("0", Tile(page, "Created"));
        Assert.Equal("4", Tile(await olga.GetStringAsync("/sessions?range=1h", Token), "Created"));
        Assert.Equal("4", Tile(await olga.GetStringAsync("/sessions?range=24h", Token), "Created"));
        var metrics = app.Services.GetRequiredService<MetricsReader>();
        Assert.Equal(4, metrics.Sum(TimeRange.Longest, "sojourn.sessions.created"));
        _time.Advance(TimeRange.Longest.Length);
        Assert.Equal(0, metrics.Sum(TimeRange.Longest, "sojourn.sessions.created"));
    }

    [Fact]
    public async Task No_page_reads_more_than_a_page_and_viewers_share_one_count()
    {
        var store = new CountingIndexStore(_store);
        await using var app = await StartAsync(AllPolicies, store: store);
        using var olga = await OperatorAsync(app);
        await FillAsync(app, 2_000);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => olga.GetStringAsync("/sessions", Token)));
        Assert.Equal((1, 500), (store.Counts, store.Records));
        await olga.GetStringAsync("/sessions/list", Token);
        Assert.Equal((1, 550), (store.Counts, store.Records));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("~2,001", Tile(await olga.GetStringAsync("/sessions", Token), "Alive"));
        Assert.Equal((2, 1_050), (store.Counts, store.Records));
    }

    [Fact]
    public async Task The_overview_tells_how_often_the_near_cache_answers_where_there_is_one()
    {
        await using var without = await StartAsync(AllPolicies);
        using var alone = await OperatorAsync(without);
        Assert.Equal("", Tile(await alone.GetStringAsync("/sessions", Token), "Near cache"));
        await using var app = await StartAsync(AllPolicies, services: services => services.AddSojourn().WithNearCache(TimeSpan.FromMinutes(1)));
        using var olga = await OperatorAsync(app);
        await olga.GetStringAsync("/who", Token);
        await olga.GetStringAsync("/who", Token);
        var page = await olga.GetStringAsync("/sessions", Token);
        Assert.InRange(int.Parse(Tile(page, "Near cache"), System.Globalization.CultureInfo.InvariantCulture), 1, 100);
    }

    [Fact]
    public async Task O30_What_visitors_wrote_is_text()
    {
        const string Markup = "<img src=x onerror=alert(1)>";
        await using var app = await StartAsync(AllPolicies);
        var session = app.Services.GetRequiredService<SessionManager>().Create();
        session.Set(Markup, Markup);
        await session.SignInAsync(Markup, new SessionSignIn { Device = new SessionDevice { Agent = Markup, Network = Markup } }, Token);
        using var olga = await OperatorAsync(app);
        var page = await olga.GetStringAsync($"/sessions/one/{session.Handle}", Token);
        string[] pages =
        [
            page, await olga.GetStringAsync("/sessions", Token), await olga.GetStringAsync("/sessions/list?device=%3Cimg", Token),
            await olga.GetStringAsync(
                "/sessions/list?find=" + Uri.EscapeDataString(Markup), Token), await olga.GetStringAsync($"/sessions/one/{session.Handle}/end", Token),
            await (await PostFormAsync(olga, $"/sessions/one/{session.Handle}/values", page)).Content.ReadAsStringAsync(Token),
        ];
        Assert.All(pages, each =>
        {
            Assert.Contains("&lt;img src=x", each, StringComparison.Ordinal);
            Assert.DoesNotContain("<img", each, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task The_overview_moves_and_a_stream_ends_within_a_minute()
    {
        await using var app = await StartAsync(AllPolicies);
        using var olga = await OperatorAsync(app);
        using var response = await HeadAsync(olga, "/sessions/live");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        Assert.Equal("1", Tile(await NextEventAsync(reader), "Alive"));
        using var ada = await SignInAsync(app, "ada", "customer");
        var events = 1;
        for (var seen = false; await AdvanceToNextAsync() is { } part; events++)
        {
            seen |= Tile(part, "Alive") == "2";
            Assert.True(seen || events < 11, "The stream never showed the new session.");
        }

        Assert.Equal(12, events);

        async Task<string?> AdvanceToNextAsync()
        {
            var next = NextEventAsync(reader);
            while (!next.IsCompleted)
            {
                _time.Advance(TimeSpan.FromSeconds(5));
                await Task.WhenAny(next, Task.Delay(20, Token));
            }

            return await next is { Length: > 0 } part ? part : null;
        }
    }

    [Fact]
    public async Task Components_of_the_applications_own_do_not_get_in_its_way()
    {
        await using var app = await StartAsync(AllPolicies, services: services => services.AddRazorComponents());
        using var ada = await SignInAsync(app, "ada", "customer");
        using var olga = await OperatorAsync(app);
        foreach (var path in PagesOf(await HandleOfAsync(app, "ada")))
        {
            Assert.True((await HeadAsync(olga, path)).StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound, path);
        }
    }

    [Fact]
    public async Task Weak_configuration_is_found_with_its_fix()
    {
        await using var app = await StartAsync(AllPolicies, "Production", configure: o =>
        {
            o.Secrets = ["too short"];
            o.AbsoluteTimeout = null;
            (o.Cookie.Name, o.Cookie.Secure, o.Cookie.HttpOnly) = ("id", CookieSecure.Never, false);
        });
        using var olga = await OperatorAsync(app);
        var page = WebUtility.HtmlDecode(await olga.GetStringAsync("/sessions/health", Token));
        Assert.Contains("Set Cookie.Secure to Always", page, StringComparison.Ordinal);
        Assert.Contains("Set Cookie.HttpOnly to true", page, StringComparison.Ordinal);
        Assert.Contains("openssl rand -base64 32", page, StringComparison.Ordinal);
        Assert.Contains("nobody has rotated it lately", page, StringComparison.Ordinal);
        Assert.Contains("Set AbsoluteTimeout", page, StringComparison.Ordinal);
        Assert.Contains("UseForwardedHeaders", page, StringComparison.Ordinal);
        Assert.Contains("each of several instances has its own", page, StringComparison.Ordinal);
        Assert.Contains("1, not shown", page, StringComparison.Ordinal);
        Assert.DoesNotContain("too short", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_may_be_in_a_group()
    {
        await using var app = await TestApp.StartAsync(
            app => app.MapGroup("/ops").MapSojournDashboard("/sessions"), services: services => services.AddSojournDashboard());
        using var client = app.NewClient();
        var link = Stylesheet().Match(await client.GetStringAsync("/ops/sessions", Token)).Groups[1].Value;
        using var stylesheet = await client.GetAsync(WebUtility.HtmlDecode(link), Token);
        Assert.Equal(HttpStatusCode.OK, stylesheet.StatusCode);
    }

    [Theory]
    [InlineData("/sessions/list?find=")]
    [InlineData("/sessions/list?find=%00")]
    [InlineData("/sessions/subject/end?subject=%00")]
    [InlineData("/sessions/one/")]
    public async Task What_no_session_can_be_called_is_not_found(string path)
    {
        await using var app = await TestApp.StartAsync(app => app.MapSojournDashboard("/sessions"), services: services => services.AddSojournDashboard());
        using var client = app.NewClient();
        using var answer = await client.GetAsync(path + new string('x', 300), Token);
        Assert.InRange((int)answer.StatusCode, 200, 499);
    }

    [GeneratedRegex("href=\"([^\"]*dashboard.css[^\"]*)\"")]
    private static partial Regex Stylesheet();

    private static void AllPolicies(SojournDashboardOptions options) =>
        (options.ReadPolicy, options.EndPolicy, options.ValuesPolicy) = ("readers", "enders", "lookers");

    private static string[] PagesOf(string handle) =>
    [
        "/sessions", "/sessions/list", "/sessions/health", "/sessions/live", "/sessions/assets/dashboard.js?v=none", $"/sessions/one/{handle}",
        $"/sessions/one/{handle}/end",
        "/sessions/subject/end?subject=ada", "/sessions/one/nothing", "/sessions/one/nothing/end",
    ];

    private static Task<HttpResponseMessage> HeadAsync(HttpClient client, string path) =>
        client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Token);

    private static async Task<string> FirstEventAsync(HttpResponseMessage response)
    {
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        return await NextEventAsync(reader);
    }

    private static async Task<string> NextEventAsync(StreamReader reader)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync(Token) is { Length: > 0 } line)
        {
            lines.Add(line.StartsWith("data: ", StringComparison.Ordinal) ? line["data: ".Length..] : "");
        }

        return string.Join('\n', lines);
    }

    private static string Tile(string page, string name) => Regex.Match(page, $@"<dt[^>]*>{name}</dt>\s*<dd[^>]*>([\d,~]+)").Groups[1].Value;

    private static async Task<HttpResponseMessage> PostFormAsync(HttpClient client, string path, string page, (string Name, string Value)? header = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(
                [KeyValuePair.Create("__RequestVerificationToken", FormToken().Match(page) is { Success: true } match ? match.Groups[1].Value : "none")]),
        };
        if (header is var (name, value))
        {
            request.Headers.Add(name, value);
        }

        return await client.SendAsync(request, Token);
    }

    private static async Task<string> HandleOfAsync(TestApp app, string subject) =>
        Assert.Single(await app.Services.GetRequiredService<ISessionAdministration>().ListAsync(subject, cancellationToken: Token)).Handle!;

    private static Task<HttpClient> OperatorAsync(TestApp app, string name = "olga") => SignInAsync(app, name, "reader", "ender", "looker");

    private static async Task<HttpClient> SignInAsync(TestApp app, string user, params string[] roles)
    {
        var client = app.NewClient();
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync($"/in/{Uri.EscapeDataString(user)}?roles={string.Join(',', roles)}", null, Token)).StatusCode);
        return client;
    }

    private static async Task FillAsync(TestApp app, int count)
    {
        var manager = app.Services.GetRequiredService<SessionManager>();
        for (var i = 0; i < count; i++)
        {
            var session = manager.Create();
            session.Set("n", i);
            await manager.CommitAsync(session, Token);
        }
    }

    private Task<TestApp> StartAsync(
        Action<SojournDashboardOptions> dashboard,
        string environment = "Development",
        ISessionStore? store = null,
        Action<SojournOptions>? configure = null,
        Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseSojourn();
            app.MapPost("/in/{user}", (HttpContext context, string user, string roles) =>
            {
                context.GetSession().Set("note", Value);
                return context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity(
                    [new(ClaimTypes.Name, user), new(ClaimTypes.NameIdentifier, user), .. roles.Split(',').Select(role => new Claim(ClaimTypes.Role, role))],
                    "test")));
            });
            app.MapPost("/out", (HttpContext context) => context.SignOutAsync());
            app.MapPost("/note", (Session session) => session.Set("note", Value));
            app.MapGet("/who", (Session session) => session.Subject ?? "");
            app.MapGet("/handle", (Session session) => session.Handle ?? "");
            app.MapSojournDashboard();
        },
        store ?? _store,
        configure,
        all =>
        {
            all.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(_logs)));
            all.AddSingleton<ISessionEventHandler>(_events);
            all.AddAuthentication().AddSojourn(o => (o.LoginPath, o.AccessDeniedPath) = ("/account/login", "/account/denied"));
            all.AddAuthorizationBuilder()
                .AddPolicy("readers", policy => policy.RequireRole("reader"))
                .AddPolicy("enders", policy => policy.RequireRole("ender"))
                .AddPolicy("lookers", policy => policy.RequireRole("looker"));
            all.AddSojournDashboard(dashboard);
            services?.Invoke(all);
        },
        time: _time,
        useSojourn: false,
        environment: environment);

    [GeneratedRegex(@"<th scope=""row""><a class=""handle"" href=""[^""]*"">([^<]+)</a>")]
    private static partial Regex Handles();

    [GeneratedRegex(@"rel=""next"" href=""([^""]+)""")]
    private static partial Regex Next();

    [GeneratedRegex(@"name=""__RequestVerificationToken"" value=""([^""]+)""")]
    private static partial Regex FormToken();

    private sealed class EventLog : ISessionEventHandler
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<SessionEvent> _all = new();

        public IReadOnlyCollection<SessionEvent> All => _all;

        public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
        {
            _all.Enqueue(sessionEvent);
            return default;
        }
    }

    /// <summary>The five verbs alone.</summary>
    private class PlainStore(ISessionStore inner) : ISessionStore
    {
        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => inner.ReadAsync(key, cancellationToken);

        public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken) =>
            inner.CreateAsync(key, record, cancellationToken);

        public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
            inner.ReplaceAsync(key, current, next, cancellationToken);

        public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
            inner.TouchAsync(key, current, expiresAt, cancellationToken);

        public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
            inner.DeleteAsync(key, current, cancellationToken);
    }

    /// <summary>A store whose database does not answer where sessions are listed.</summary>
    private sealed class BrokenIndexStore(ISessionStore inner) : PlainStore(inner), ISessionIndex
    {
        public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(
            string label, CancellationToken cancellationToken) => throw new IOException("Broken.");

        public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(
            string? afterKey, int limit, CancellationToken cancellationToken) => throw new IOException("Broken.");

        public ValueTask<long> CountAsync(CancellationToken cancellationToken) => throw new IOException("Broken.");

        public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => throw new IOException("Broken.");
    }

    /// <summary>Counts how often it is counted, and how many records it hands out in pages.</summary>
    private sealed class CountingIndexStore(FaultInjectingStore inner) : PlainStore(inner), ISessionIndex
    {
        private readonly ISessionIndex _index = ((ISessionStore)inner).As<ISessionIndex>()!;
        private int _counts;
        private int _records;

        public int Counts => _counts;

        public int Records => _records;

        public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) =>
            _index.FindAsync(label, cancellationToken);

        public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
        {
            var page = await _index.PageAsync(afterKey, limit, cancellationToken);
            Interlocked.Add(ref _records, page.Count);
            return page;
        }

        public ValueTask<long> CountAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _counts);
            return _index.CountAsync(cancellationToken);
        }

        public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => _index.DeleteByLabelAsync(label, cancellationToken);
    }
}
