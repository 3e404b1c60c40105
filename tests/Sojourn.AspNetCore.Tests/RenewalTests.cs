using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Ids that renew themselves, as a browser sees them: which cookie it is sent, and what its old one still opens.</summary>
public sealed class RenewalTests : ISessionEventHandler
{
    private static readonly TimeSpan After = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());
    private readonly List<SessionEvent> _events = [];
    private TaskCompletionSource _arrived = new();
    private TaskCompletionSource _released = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        lock (_events) _events.Add(sessionEvent);
        return default;
    }

    [Fact]
    public async Task A29_An_id_that_is_old_enough_is_renewed_and_a_dead_one_that_comes_back_is_noticed()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        _time.Advance(After - TimeSpan.FromSeconds(1));
        Assert.Equal((null, "ada"), await SendAsync(client, "/get", old));
        _time.Advance(TimeSpan.FromSeconds(1));
        var (renewed, name) = await SendAsync(client, "/get", old);
        Assert.Equal("ada", name);
        Assert.NotNull(renewed);
        Assert.NotEqual(old, renewed);
        Assert.Equal((null, "ada"), await SendAsync(client, "/get", renewed));

        // The answer may not have arrived: whoever comes with the old id is told again, the very same.
        _time.Advance(Grace - TimeSpan.FromSeconds(1));
        Assert.Equal((renewed, "ada"), await SendAsync(client, "/get", old));
        _time.Advance(TimeSpan.FromSeconds(1));
        _events.Clear();
        Assert.Equal((null, ""), await SendAsync(client, "/get", old));
        var noticed = Assert.Single(_events);
        Assert.Equal((SessionEventKind.Suspicious, SessionSuspicion.DeadId), (noticed.Kind, noticed.Suspicion));
        Assert.NotNull(noticed.Handle);
        Assert.Equal((null, "ada"), await SendAsync(client, "/get", renewed));
    }

    [Fact]
    public async Task A29_By_option_a_dead_id_that_comes_back_ends_the_session_however_often_it_was_renewed()
    {
        await using var app = await StartAsync(o => o.EndOnDeadId = true);
        using var client = app.NewBareClient();
        var (first, _) = await SendAsync(client, "/set?name=ada");
        var current = first;
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(After);
            (current, _) = await SendAsync(client, "/get", current);
        }

        _time.Advance(Grace);
        Assert.Equal((null, "ada"), await SendAsync(client, "/get", current));
        _events.Clear();
        Assert.Equal((null, ""), await SendAsync(client, "/get", first));
        Assert.Equal((null, ""), await SendAsync(client, "/get", current));
        Assert.Equal(
            [(SessionEventKind.Suspicious, SessionSuspicion.DeadId, null), (SessionEventKind.Ended, null, SessionEndReason.DeadId), (SessionEventKind.Suspicious, SessionSuspicion.UnknownId, (SessionEndReason?)null)],
            _events.Select(told => (told.Kind, told.Suspicion, told.Reason)));
        Assert.Equal(_events[0].Handle, _events[1].Handle);
    }

    [Fact]
    public async Task A7_There_is_no_grace_across_a_sign_in_and_an_id_from_before_it_cannot_end_the_session()
    {
        await using var app = await StartAsync(o => o.EndOnDeadId = true);
        using var client = app.NewBareClient();
        foreach (var verb in (string[])["/sign-in", "/renew", "/regenerate"])
        {
            var (old, _) = await SendAsync(client, "/set?name=ada");
            _time.Advance(After);
            var (middle, _) = await SendAsync(client, "/get", old);
            var (newest, _) = await SendAsync(client, verb, middle);
            Assert.Equal((null, ""), await SendAsync(client, "/get", old));
            Assert.Equal((null, ""), await SendAsync(client, "/get", middle));
            _time.Advance(Grace);
            Assert.Equal((null, ""), await SendAsync(client, "/get", old));
            if (verb is not "/regenerate")
            {
                Assert.Equal((null, "ada"), await SendAsync(client, "/get", newest));
            }
        }
    }

    [Theory]
    [InlineData("read", "ada", true)]
    [InlineData("write", "", true)]
    [InlineData("reload", "ada", true)]
    [InlineData("renew", "", false)]
    [InlineData("sign-in", "", false)]
    [InlineData("destroy", "", false)]
    public async Task A_request_in_flight_while_the_id_is_renewed_is_not_signed_out_however_long_it_takes(string verb, string answer, bool staysReachable)
    {
        await using var app = await StartAsync(o => o.Rolling = true);
        using var client = app.NewBareClient();
        foreach (var longer in (TimeSpan[])[TimeSpan.Zero, 2 * Grace])
        {
            (_arrived, _released) = (new TaskCompletionSource(), new TaskCompletionSource());
            var (old, _) = await SendAsync(client, "/set?name=ada");
            _time.Advance(After - TimeSpan.FromMinutes(1));
            var slow = SendAsync(client, "/slow-" + verb, old);
            await _arrived.Task;
            _time.Advance(TimeSpan.FromMinutes(1));
            var (renewed, _) = await SendAsync(client, "/get", old);
            Assert.NotEqual(old, renewed);
            _time.Advance(longer);
            _released.SetResult();
            var (cookie, body) = await slow;
            Assert.Equal(answer, body);
            Assert.NotEqual(old, cookie);
            if (verb is "destroy")
            {
                Assert.Equal("sid=", cookie);
            }
            else if (verb is "renew" or "sign-in")
            {
                Assert.Equal("ada", (await SendAsync(client, "/get", cookie)).Body);
            }
            else if (verb is "write")
            {
                // It learns of the new id where it meets the store, and tells of that one.
                Assert.Equal(renewed, cookie);
                Assert.Equal("late", (await SendAsync(client, "/get?entry=late", renewed)).Body);
            }

            Assert.Equal(staysReachable ? "ada" : "", (await SendAsync(client, "/get", renewed)).Body);
            if (!staysReachable || longer > Grace)
            {
                Assert.Equal("", (await SendAsync(client, "/get", old)).Body);
            }
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task O19_A_browser_whose_parallel_answers_arrive_in_any_order_is_never_signed_out_and_never_sent_a_dead_id(bool isRolling, bool hasMaxAge)
    {
        var random = new Random(4711);
        await using var app = await StartAsync(o =>
        {
            o.Rolling = isRolling;
            o.Cookie.MaxAge = hasMaxAge ? TimeSpan.FromHours(1) : null;
        });
        var sessions = app.Services.GetRequiredService<SessionManager>();
        using var client = app.NewBareClient();
        var jar = (await SendAsync(client, "/set?name=ada")).Cookie!;
        var (renewals, count, before) = (0, 0, jar);
        while (renewals < 10)
        {
            string[] paths = [.. Enumerable.Range(0, 6).Select(_ => random.Next(3) switch { 0 => "/count", 1 => "/get", _ => "/get-read-only" })];
            count += paths.Count(path => path is "/count");
            var answers = await Task.WhenAll(paths.Select(path => SendAsync(client, path, jar)));
            Assert.All(answers, answer => Assert.Equal("ada", answer.Body));
            var cookies = answers.Select(answer => answer.Cookie).OfType<string>().ToArray();
            random.Shuffle(cookies);
            foreach (var cookie in cookies)
            {
                Assert.Equal(IdOf(cookie), (await sessions.LoadAsync(IdOf(cookie), Token))?.Id);
                jar = cookie;
            }

            Assert.InRange(cookies.Distinct().Count(), 0, 1);
            renewals += jar == before ? 0 : 1;
            before = jar;
            _time.Advance(TimeSpan.FromSeconds(random.Next(1, 400)));
        }

        Assert.Equal(count.ToString(System.Globalization.CultureInfo.InvariantCulture), (await SendAsync(client, "/get?entry=count", jar)).Body);
        Assert.DoesNotContain(_events, told => told.Kind is SessionEventKind.Suspicious or SessionEventKind.Ended or SessionEventKind.Expired);
    }

    [Fact]
    public async Task A_request_that_cannot_send_a_cookie_leaves_it_to_the_next()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        _time.Advance(After);
        _store.ResetCounts();
        Assert.Equal((null, "ada"), await SendAsync(client, "/get-read-only", old));
        Assert.Equal(0, _store.CallsOf(StoreVerb.Create));
        Assert.NotNull((await SendAsync(client, "/get", old)).Cookie);
    }

    [Fact]
    public async Task What_changed_nothing_does_not_fail_where_the_store_fails_at_the_renewal()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        _time.Advance(After);
        foreach (var verb in (StoreVerb[])[StoreVerb.Create, StoreVerb.Replace])
        {
            _store.On(verb).Fail(1);
            Assert.Equal((null, "ada"), await SendAsync(client, "/get", old));
        }

        // Done, and the answer lost: what became of it is looked up.
        _store.On(StoreVerb.Replace).LoseAnswer(1);
        var (renewed, _) = await SendAsync(client, "/get", old);
        Assert.NotNull(renewed);
        Assert.NotEqual(old, renewed);
        _time.Advance(After);
        _store.On(StoreVerb.Replace).Fail(1);
        using var failed = await SendRawAsync(client, "/count", renewed);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.False(failed.Headers.Contains("Set-Cookie"));
        Assert.Equal("ada", (await SendAsync(client, "/count", renewed)).Body);
    }

    [Fact]
    public async Task A_new_id_is_made_again_by_the_secret_that_made_it_and_without_it_no_cookie_is_sent()
    {
        string old, renewed;
        await using (var before = await StartAsync(o => o.Secrets = ["one", "common"]))
        {
            using var client = before.NewBareClient();
            old = (await SendAsync(client, "/set?name=ada")).Cookie!;
            _time.Advance(After);
            renewed = (await SendAsync(client, "/get", old)).Cookie!;
        }

        await using (var rotated = await StartAsync(o => o.Secrets = ["two", "one"]))
        {
            using var client = rotated.NewBareClient();
            Assert.Equal((IdOf(renewed), "ada"), await SendAsync(client, "/get", old) is var (cookie, name) ? (IdOf(cookie!), name) : default);
        }

        // The old token is signed anew, as by a process that has another secret in front.
        await using (var other = await StartAsync(o => (o.Secrets, o.Rolling) = (["two"], true)))
        {
            using var client = other.NewBareClient();
            var token = new Transport.SessionToken(Options.Create(new SojournOptions { Secrets = ["two"] })).Write(IdOf(old));
            Assert.Equal((null, "ada"), await SendAsync(client, "/get", "sid=" + Transport.SessionToken.Encode(token)));
        }
    }

    [Fact]
    public async Task Exclusive_requests_that_come_with_the_old_id_and_the_new_one_run_one_after_the_other()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        _time.Advance(After);
        var cookies =
            (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(client, "/exclusive", old)))).Select(answer => answer.Cookie!).Distinct();
        var renewed = Assert.Single(cookies);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => SendAsync(client, "/exclusive", i % 2 == 0 ? old : renewed)));
        Assert.Equal("16", (await SendAsync(client, "/get?entry=count", renewed)).Body);
    }

    [Fact]
    public async Task No_id_is_renewed_while_another_request_has_the_session_exclusively()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        _time.Advance(After);
        var slow = SendAsync(client, "/slow-exclusive", old);
        await _arrived.Task;
        Assert.Equal((null, "ada"), await SendAsync(client, "/count", old));
        _released.SetResult();
        var (renewed, _) = await slow;
        Assert.NotNull(renewed);
        Assert.Equal("1", (await SendAsync(client, "/get?entry=count", renewed)).Body);
    }

    [Fact]
    public async Task Lists_show_a_session_once_and_forwarding_records_never()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var (current, _) = await SendAsync(client, "/sign-in");
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(After);
            (current, _) = await SendAsync(client, "/get", current);
        }

        var administration = app.Services.GetRequiredService<ISessionAdministration>();
        var session = Assert.Single(await administration.ListAsync("ada", cancellationToken: Token));
        Assert.Equal(session.Handle, Assert.Single((await administration.PageAsync(cancellationToken: Token)).Sessions).Handle);
        Assert.Equal(session.Handle, (await administration.FindAsync(session.Handle!, Token))?.Handle);
        Assert.Equal(1, await administration.EndEverythingAsync(cancellationToken: Token));
        Assert.Equal("", (await SendAsync(client, "/get", current)).Body);
    }

    [Fact]
    public async Task The_key_that_a_session_has_now_is_found_by_one_that_it_had()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var sessions = app.Services.GetRequiredService<SessionManager>();
        var (old, _) = await SendAsync(client, "/set?name=ada");
        var current = old;
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(sessions.KeyOf(IdOf(current!)), (await sessions.LocateAsync(sessions.KeyOf(IdOf(old!)), handle: null, Token))?.Key);
            _time.Advance(After);
            (current, _) = await SendAsync(client, "/get", current);
        }

        await SendAsync(client, "/destroy", current);
        Assert.Null(await sessions.LocateAsync(sessions.KeyOf(IdOf(old!)), handle: null, Token));
    }

    [Fact]
    public async Task A_client_that_sends_its_token_by_header_is_given_the_new_one_by_header()
    {
        await using var app = await StartAsync(services: services => services.AddSojourn().WithTransports(SessionTransports.Header()));
        using var client = app.NewBareClient();
        using var begun = await client.GetAsync("/set?name=ada", Token);
        client.DefaultRequestHeaders.Add("X-Session-Id", begun.Headers.GetValues("X-Session-Id"));
        _time.Advance(After);
        using var answer = await client.GetAsync("/get", Token);
        Assert.NotEqual(begun.Headers.GetValues("X-Session-Id").Single(), answer.Headers.GetValues("X-Session-Id").Single());
        Assert.Equal("ada", await answer.Content.ReadAsStringAsync(Token));
    }

    [Theory]
    [InlineData("RenewIdAfter", "00:00:59", "RenewIdAfter must be null, or at least 1 minute")]
    [InlineData("RenewalGrace", "00:06:00", "RenewalGrace must be 1 second to 5 minutes")]
    [InlineData("RenewalGrace", "00:00:00", "RenewalGrace must be 1 second to 5 minutes")]
    [InlineData("EndOnDeadId", "true", "EndOnDeadId needs RenewIdAfter")]
    public async Task Options_come_from_the_configuration_and_are_checked_at_start(string name, string value, string problem)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(async () =>
        {
            await using var app = await TestApp.StartAsync(static _ => { }, configuration: new Dictionary<string, string?> { ["Sojourn:" + name] = value });
        });
        Assert.Contains(problem, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_that_are_shared_with_Node_do_not_renew_their_ids()
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(async () =>
        {
            await using var app = await TestApp.StartAsync(
                static _ => { }, options: static o => o.RenewIdAfter = After,
                services: static services => services.AddExpressSession(static o => o.Secrets.Add("secret")));
        });
        Assert.Contains("RenewIdAfter is not for AddExpressSession", failure.Message, StringComparison.Ordinal);
    }

    private static string IdOf(string cookie) => Uri.UnescapeDataString(cookie["sid=".Length..])[2..].Split('.')[0];

    private static async Task<(string? Cookie, string Body)> SendAsync(HttpClient client, string path, string? cookie = null)
    {
        using var answer = await SendRawAsync(client, path, cookie);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var cookies = answer.Headers.TryGetValues("Set-Cookie", out var values) ? values.Single().Split(';')[0] : null;
        return (cookies, await answer.Content.ReadAsStringAsync(Token));
    }

    private static async Task<HttpResponseMessage> SendRawAsync(HttpClient client, string path, string? cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }

        return await client.SendAsync(request, Token);
    }

    private async Task WaitAsync()
    {
        _arrived.SetResult();
        await _released.Task;
    }

    private Task<TestApp> StartAsync(Action<SojournOptions>? options = null, Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/set", (Session session, string name) => session.Set("name", name));
            app.MapGet(
                "/get",
                (Session session, string entry = "name") =>
                    session.TryGetRaw(entry, out var value) ? System.Text.Encoding.UTF8.GetString(value.Span).Trim('"') : "");
            app.MapGet("/get-read-only", (Session session) => session.Get<string>("name")).WithReadOnlySession();
            app.MapGet("/count", (Session session) =>
            {
                session.Update<int>("count", count => count + 1);
                return session.Get<string>("name");
            });
            app.MapGet("/sign-in", (Session session) => session.SignInAsync("ada").AsTask());
            app.MapGet("/renew", (Session session) => session.RenewIdAsync().AsTask());
            app.MapGet("/regenerate", (Session session) => session.RegenerateAsync().AsTask());
            app.MapGet("/destroy", (Session session) => session.DestroyAsync().AsTask());
            app.MapGet("/exclusive", async (Session session) =>
            {
                // Without a turn of its own each would write over the other's.
                var count = session.Get<int>("count");
                await Task.Delay(1);
                session.Set("count", count + 1);
            }).WithExclusiveSession();
            app.MapGet("/slow-exclusive", (Session _) => WaitAsync()).WithExclusiveSession();
            app.MapGet("/slow-read", async (Session session) =>
            {
                await WaitAsync();
                return session.Get<string>("name");
            });
            app.MapGet("/slow-write", async (Session session) =>
            {
                session.Set("late", "late");
                await WaitAsync();
            });
            app.MapGet("/slow-reload", async (Session session) =>
            {
                await WaitAsync();
                await session.ReloadAsync();
                return session.Get<string>("name");
            });
            app.MapGet("/slow-renew", async (Session session) =>
            {
                await WaitAsync();
                await session.RenewIdAsync();
            });
            app.MapGet("/slow-sign-in", async (Session session) =>
            {
                await WaitAsync();
                await session.SignInAsync("ada");
            });
            app.MapGet("/slow-destroy", async (Session session) =>
            {
                await WaitAsync();
                await session.DestroyAsync();
            });
        },
        _store,
        o =>
        {
            (o.RenewIdAfter, o.RenewalGrace, o.IdleTimeout) = (After, Grace, TimeSpan.FromHours(1));
            options?.Invoke(o);
        },
        all =>
        {
            all.AddSingleton<ISessionEventHandler>(this);
            services?.Invoke(all);
        },
        _time);
}
