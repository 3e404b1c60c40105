using System.Net;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What code written for ASP.NET Core's own session relies on, call by call.</summary>
public sealed class AspNetSessionTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reading_an_empty_session_sets_no_cookie_and_setting_a_value_does()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using var read = await client.GetAsync("/get?key=a", Token);
        Assert.Equal("null", await read.Content.ReadAsStringAsync(Token));
        Assert.False(read.Headers.Contains("Set-Cookie"));
        Assert.Equal(0, _store.Calls);
        using var set = await client.GetAsync("/set?key=a&value=1", Token);
        Assert.Single(set.Headers.GetValues("Set-Cookie"));
        Assert.Equal("1", await client.GetStringAsync("/get?key=a", Token));
    }

    [Fact]
    public async Task Removed_and_cleared_entries_are_gone_with_the_next_request_and_the_session_is_not()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetAsync("/set?key=a&value=1", Token);
        await client.GetAsync("/set?key=b&value=2", Token);
        await client.GetAsync("/remove?key=a", Token);
        Assert.Equal("null", await client.GetStringAsync("/get?key=a", Token));
        Assert.Equal("2", await client.GetStringAsync("/get?key=b", Token));
        var id = await client.GetStringAsync("/id", Token);
        await client.GetAsync("/clear", Token);
        Assert.Equal("", await client.GetStringAsync("/keys", Token));
        Assert.Equal(id, await client.GetStringAsync("/id", Token));
    }

    [Fact]
    public async Task Keys_are_told_apart_by_case_and_empty_values_are_values()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetAsync("/set?key=Key&value=1", Token);
        await client.GetAsync("/set?key=key&value=", Token);
        Assert.Equal("Key,key", await client.GetStringAsync("/keys", Token));
        Assert.Equal("1", await client.GetStringAsync("/get?key=Key", Token));
        Assert.Equal("", await client.GetStringAsync("/get?key=key", Token));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(-1)]
    [InlineData(0x41424344)]
    [InlineData(int.MinValue)]
    public async Task Numbers_come_back_whatever_their_bytes_look_like(int number)
    {
        await using var app = await StartAsync(app =>
        {
            app.MapGet("/number", (HttpContext context) => context.Session.SetInt32("n", number));
            app.MapGet("/numbered", (HttpContext context) => context.Session.GetInt32("n"));
        });
        using var client = app.NewClient();
        await client.GetAsync("/number", Token);
        Assert.Equal(number.ToString(System.Globalization.CultureInfo.InvariantCulture), await client.GetStringAsync("/numbered", Token));
    }

    [Fact]
    public async Task Any_bytes_come_back_as_they_were_and_are_the_applications_own_copy()
    {
        var values = new byte[][]
        {
            [],
            [0],
            [0xff, 0xfe],
            "text"u8.ToArray(),
            "é✓🐎"u8.ToArray(),
            "line\n"u8.ToArray(),
            "\"quoted\\\""u8.ToArray(),
            [.. Enumerable.Range(0, 256).Select(i => (byte)i)],
        };
        await using var app = await StartAsync(app =>
        {
            app.MapGet("/store", (HttpContext context) =>
            {
                for (var i = 0; i < values.Length; i++)
                {
                    var copy = values[i].ToArray();
                    context.Session.Set("v" + i, copy);
                    Array.Clear(copy);
                }
            });
            app.MapGet("/check", (HttpContext context) =>
            {
                for (var i = 0; i < values.Length; i++)
                {
                    Assert.True(context.Session.TryGetValue("v" + i, out var value));
                    Assert.Equal(values[i], value);
                    Array.Clear(value);
                    Assert.Equal(values[i], context.Session.Get("v" + i));
                }
            });
        });
        using var client = app.NewClient();
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/store", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/check", Token)).StatusCode);
    }

    [Fact]
    public async Task A_session_past_its_idle_time_is_empty_and_one_in_use_is_not()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetAsync("/set?key=a&value=1", Token);
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(15));
            Assert.Equal("1", await client.GetStringAsync("/get?key=a", Token));
            _time.Advance(TimeSpan.FromMinutes(15));
            await client.GetStringAsync("/nothing", Token);
        }

        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.Equal("null", await client.GetStringAsync("/get?key=a", Token));
    }

    [Fact]
    public async Task LoadAsync_may_be_called_at_any_time_and_CommitAsync_saves_at_once_or_throws()
    {
        await using var app = await StartAsync(app => app.MapGet("/commit", async (HttpContext context) =>
        {
            await context.Session.LoadAsync();
            Assert.True(context.Session.IsAvailable);
            await context.Session.CommitAsync();
            Assert.Equal(0, _store.CallsOf(StoreVerb.Create));
            context.Session.SetString("a", "1");
            await context.Session.CommitAsync();
            Assert.Equal(1, _store.CallsOf(StoreVerb.Create));
            _store.On(StoreVerb.Replace).Fail();
            context.Session.SetString("a", "2");
            await Assert.ThrowsAsync<SessionStoreException>(() => context.Session.CommitAsync(context.RequestAborted));
            throw new NotSupportedException("the end");
        }));
        using var client = app.NewClient();
        Assert.Equal(HttpStatusCode.InternalServerError, (await client.GetAsync("/commit", Token)).StatusCode);
    }

    [Fact]
    public async Task The_id_is_the_sessions_own_from_the_first_request_on()
    {
        await using var app = await StartAsync(app => app.MapGet("/ids", (HttpContext context, Session session) =>
        {
            context.Session.SetString("a", "1");
            Assert.Equal(session.Id, context.Session.Id);
            return context.Session.Id;
        }));
        using var client = app.NewClient();
        Assert.Equal(await client.GetStringAsync("/ids", Token), await client.GetStringAsync("/ids", Token));
    }

    [Fact]
    public async Task The_session_is_still_there_for_middleware_outside_and_cannot_be_replaced()
    {
        var seen = "";
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    seen = context.Features.GetRequiredFeature<ISessionFeature>().Session.GetString("a")!;
                });
                app.UseSojourn();
                app.MapGet("/set", (HttpContext context) =>
                {
                    context.Session.SetString("a", "1");
                    Assert.Throws<NotSupportedException>(() => context.Session = context.Session);
                });
            },
            useSojourn: false);
        using var client = app.NewClient();
        await client.GetAsync("/set", Token);
        Assert.Equal("1", seen);
    }

    [Fact]
    public async Task Antiforgery_and_a_sign_in_that_keeps_its_state_in_the_session_work_beside_it()
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseAntiforgery();
                app.MapGet("/challenge", (HttpContext context, IAntiforgery antiforgery) =>
                {
                    context.Session.SetString("state", "from-the-provider");
                    return antiforgery.GetAndStoreTokens(context).RequestToken;
                });
                app.MapPost(
                    "/callback", (HttpContext context, [FromForm] string state) => context.Session.GetString("state") == state ? "signed in" : "refused");
            },
            _store,
            services: services => services.AddAntiforgery());
        using var client = app.NewClient();
        using var challenge = await client.GetAsync("/challenge", Token);
        Assert.Equal(2, challenge.Headers.GetValues("Set-Cookie").Count());
        var token = await challenge.Content.ReadAsStringAsync(Token);
        using var form = new FormUrlEncodedContent([new("state", "from-the-provider"), new("__RequestVerificationToken", token)]);
        using var callback = await client.PostAsync("/callback", form, Token);
        Assert.Equal("signed in", await callback.Content.ReadAsStringAsync(Token));
        using var forged = await client.PostAsync("/callback", new FormUrlEncodedContent([new("state", "from-the-provider")]), Token);
        Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
    }

    [Theory]
    [InlineData(CookieSecure.Always, "http", true)]
    [InlineData(CookieSecure.Always, "https", true)]
    [InlineData(CookieSecure.Never, "http", false)]
    [InlineData(CookieSecure.Never, "https", false)]
    [InlineData(CookieSecure.AsRequest, "http", false)]
    [InlineData(CookieSecure.AsRequest, "https", true)]
    public async Task The_cookie_is_secure_by_policy_and_scheme(CookieSecure policy, string scheme, bool isSecure)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Request.Scheme = scheme;
                    return next(context);
                });
                app.UseSojourn();
                app.MapGet("/set", (HttpContext context) => context.Session.SetString("a", "1"));
            },
            options: o => o.Cookie.Secure = policy,
            useSojourn: false);
        using var client = app.NewClient();
        using var response = await client.GetAsync("/set", Token);
        Assert.Equal(isSecure, Assert.Single(response.Headers.GetValues("Set-Cookie")).Contains("; Secure", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AddSession_beside_Sojourn_stops_the_start_and_says_what_to_remove()
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(
            () => TestApp.StartAsync(_ => { }, services: services => services.AddDistributedMemoryCache().AddSession()));
        Assert.Contains("Remove services.AddSession()", error.Message, StringComparison.Ordinal);
    }

    private Task<TestApp> StartAsync(Action<WebApplication>? more = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/get", (HttpContext context, string key) => context.Session.GetString(key) ?? "null");
            app.MapGet("/set", (HttpContext context, string key, string value) => context.Session.SetString(key, value));
            app.MapGet("/remove", (HttpContext context, string key) => context.Session.Remove(key));
            app.MapGet("/clear", (HttpContext context) => context.Session.Clear());
            app.MapGet("/keys", (HttpContext context) => string.Join(',', context.Session.Keys));
            app.MapGet("/nothing", () => "");
            app.MapGet("/id", (HttpContext context) => context.Session.Id);
            more?.Invoke(app);
        },
        _store,
        time: _time);

    [Fact]
    public async Task Half_a_character_that_Node_wrote_is_read()
    {
        var store = new MemorySessionStore();
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/begin", (Session session) => session.Set("text", "AAAA"));
                app.MapGet("/look", (HttpContext context) => context.Session.GetString("text"));
            },
            store);
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        var (key, record) = (await store.PageAsync(null, 10, Token)).Single();
        var text = Encoding.UTF8.GetString(record.Document.Span).Replace("AAAA", "\\ud800", StringComparison.Ordinal);
        await store.ReplaceAsync(key, record, new SessionRecord(Encoding.UTF8.GetBytes(text), record.ExpiresAt, record.Labels), Token);
        Assert.Equal("\"\\ud800\"", await client.GetStringAsync("/look", Token));
    }

    [Theory]
    [InlineData("cookie")]
    [InlineData("$sojourn")]
    [InlineData("$x")]
    [InlineData("_sojourn")]
    [InlineData("__proto__")]
    [InlineData("")]
    public async Task A_reserved_key_is_refused_and_the_session_stays(string key)
    {
        string? outcome = null;
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapPost("/name", async (HttpContext context) =>
            {
                context.Session.SetString("name", "Ada");
                await context.GetSession().SignInAsync("ada");
            });
            app.MapPost("/reserved", (HttpContext context) =>
            {
                try
                {
                    context.Session.SetString(key, "accepted");
                    outcome = "not refused";
                }
                catch (ArgumentException)
                {
                    outcome = "refused";
                }
            });
            app.MapPost("/bytes", (HttpContext context) =>
            {
                try
                {
                    context.Session.Set(key, [0, 1, 2]);
                }
                catch (ArgumentException)
                {
                }
            });
            app.MapGet(
                "/name",
                (HttpContext context) =>
                    $"{context.Session.GetString("name")} {context.GetSession().Subject} {context.GetSession().AbsoluteExpiresAt is not null}");
        });
        using var client = app.NewClient();
        await client.PostAsync("/name", null, Token);
        Assert.Equal("Ada ada True", await client.GetStringAsync("/name", Token));
        using var bytes = await client.PostAsync("/bytes", null, Token);
        var afterBytes = await client.GetStringAsync("/name", Token);
        using var text = await client.PostAsync("/reserved", null, Token);
        var afterText = await client.GetStringAsync("/name", Token);
        Assert.Equal(("refused", "Ada ada True", "Ada ada True"), (outcome, afterBytes, afterText));
    }
}
