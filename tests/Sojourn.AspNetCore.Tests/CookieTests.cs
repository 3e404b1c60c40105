using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

public sealed class CookieTests
{
    private readonly MemorySessionStore _store = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A37_O16_Of_several_cookies_the_one_that_verifies_counts_and_two_that_do_are_refused_together()
    {
        await using var app = await StartAsync();
        var ada = await BeginAsync(app, "ada");
        var grace = await BeginAsync(app, "grace");
        Assert.Equal("ada", await NameAsync(app, $"sid=forged; {ada}; sid="));
        Assert.Equal("ada", await NameAsync(app, $"{ada}; {ada}"));
        Assert.Equal("nobody", await NameAsync(app, $"{ada}; {grace}"));
        Assert.Equal("nobody", await NameAsync(app, string.Join("; ", Enumerable.Repeat("sid=forged", 20)) + "; " + ada));
    }

    [Fact]
    public async Task A_cookie_of_an_older_secret_is_accepted_and_signed_anew()
    {
        string old;
        await using (var before = await StartAsync(options => options.Secrets = ["old"]))
        {
            old = await BeginAsync(before, "ada");
        }

        await using var after = await StartAsync(options => options.Secrets = ["new", "old"]);
        var (name, resigned) = await AskAsync(after, "/name", old);
        Assert.Equal("ada", name);
        Assert.NotNull(resigned);
        Assert.NotEqual(old, resigned.Split(';')[0]);
        Assert.Equal(old.Split('.')[0], resigned.Split('.')[0]);
        await using var last = await StartAsync(options => options.Secrets = ["new"]);
        Assert.Equal(("ada", null), await AskAsync(last, "/name", resigned.Split(';')[0]));
        Assert.Equal("nobody", await NameAsync(last, old));
    }

    [Fact]
    public async Task O20_K11_K12_Destroy_clears_the_cookie_with_the_attributes_it_was_set_with()
    {
        string cookie;
        await using (var before = await StartAsync(options =>
        {
            options.Cookie.Path = "/shop";
            options.Cookie.Domain = "example.org";
            options.Cookie.SameSite = SessionSameSite.None;
            options.Cookie.Secure = CookieSecure.Always;
            options.Cookie.Partitioned = true;
            options.Cookie.Priority = SessionCookiePriority.High;
            options.Cookie.MaxAge = TimeSpan.FromDays(1);
        }))
        {
            cookie = (await AskAsync(before, "/begin/ada", null)).SetCookie!;
        }

        const string Attributes = "; Domain=example.org; Path=/shop; Max-Age={0}; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None";
        Assert.EndsWith(Attributes.Replace("{0}", "86400", StringComparison.Ordinal), cookie, StringComparison.Ordinal);
        await using var after = await StartAsync();
        Assert.Equal(
            "sid=" + Attributes.Replace("{0}", "0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", StringComparison.Ordinal),
            (await AskAsync(after, "/destroy", cookie.Split(';')[0])).SetCookie);
    }

    [Fact]
    public async Task Unset_clears_the_cookie_only_where_it_destroys()
    {
        await using var keeping = await StartAsync();
        var cookie = await BeginAsync(keeping, "ada");
        Assert.Equal(("", null), await AskAsync(keeping, "/unset", cookie));
        Assert.Equal("ada", await NameAsync(keeping, cookie));
        await using var destroying = await StartAsync(options => options.Unset = UnsetBehavior.Destroy);
        Assert.Equal(
            "sid=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax", (await AskAsync(destroying, "/unset", cookie)).SetCookie);
        Assert.Equal("nobody", await NameAsync(destroying, cookie));
    }

    [Fact]
    public async Task In_Production_the_cookie_is_Host_prefixed_and_Secure()
    {
        await using var app = await StartAsync(environment: "Production");
        var cookie = (await AskAsync(app, "/begin/ada", null)).SetCookie!;
        Assert.StartsWith("__Host-sid=s%3A", cookie, StringComparison.Ordinal);
        Assert.EndsWith("; Path=/; HttpOnly; Secure; SameSite=Lax", cookie, StringComparison.Ordinal);
        Assert.Equal("nobody", await NameAsync(app, cookie.Split(';')[0].Replace("__Host-", "__host-", StringComparison.Ordinal)));
        Assert.Equal("ada", await NameAsync(app, cookie.Split(';')[0]));
    }

    [Fact]
    public async Task A_response_sets_the_cookie_once_and_only_when_it_is_due()
    {
        await using var app = await StartAsync();
        var cookie = await BeginAsync(app, "ada");
        Assert.Null((await AskAsync(app, "/begin/grace", cookie)).SetCookie);
        var renewed = (await AskAsync(app, "/set-renew-touch", cookie)).SetCookie!;
        Assert.NotEqual(cookie, renewed.Split(';')[0]);
        await using var rolling = await StartAsync(options => options.Rolling = true);
        Assert.NotNull((await AskAsync(rolling, "/name", renewed.Split(';')[0])).SetCookie);
        Assert.Null((await AskAsync(rolling, "/name", null)).SetCookie);
    }

    [Fact]
    public async Task A_cookie_with_a_lifetime_is_sent_anew_when_the_session_is_written_or_touched()
    {
        await using var app = await StartAsync();
        var cookie = await BeginAsync(app, "ada");
        Assert.Contains("; Max-Age=2592000;", (await AskAsync(app, "/remember", cookie)).SetCookie, StringComparison.Ordinal);
        Assert.Null((await AskAsync(app, "/name", cookie)).SetCookie);
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Contains("; Max-Age=2592000;", (await AskAsync(app, "/name", cookie)).SetCookie, StringComparison.Ordinal);
        Assert.Contains("; Max-Age=2592000;", (await AskAsync(app, "/begin/grace", cookie)).SetCookie, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A39_O11_O24_V15_The_token_travels_in_the_cookie_alone_and_is_never_logged()
    {
        var logs = new FakeLogCollector();
        await using var app = await StartAsync(services: services => services.AddLogging(logging =>
            logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new FakeLoggerProvider(logs))));
        using var refused = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "Sojourn", "sojourn.tokens.refused");
        var cookie = await BeginAsync(app, "ada");
        var token = cookie["sid=".Length..];
        var id = Uri.UnescapeDataString(token)["s:".Length..].Split('.')[0];
        using var client = app.NewBareClient();
        Assert.Equal("nobody", await client.GetStringAsync($"/name?sid={token}&session={token};jsessionid={token}", Token));
        using (var request = new HttpRequestMessage(HttpMethod.Get, "/name") { Headers = { { "X-Session-Id", token }, { "Authorization", "Session " + token } } })
        using (var answer = await client.SendAsync(request, Token))
        {
            Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
        }

        await AskAsync(app, "/destroy", cookie);
        Assert.Equal("nobody", await NameAsync(app, cookie));
        Assert.Equal("nobody", await NameAsync(app, "sid=forged"));
        Assert.Equal(["unknown", "invalid"], refused.GetMeasurementSnapshot().Select(measured => measured.Tags["reason"]));
        Assert.NotEmpty(logs.GetSnapshot());
        Assert.DoesNotContain(
            logs.GetSnapshot(),
            record => record.Message.Contains(id, StringComparison.Ordinal) && !record.Category!.StartsWith("Microsoft.", StringComparison.Ordinal));
        Assert.Null(await _store.ReadAsync(id, Token));
    }

    public static TheoryData<string, string> Contradictions() => new()
    {
        { "host-domain", "__Host-" },
        { "host-path", "__Host-" },
        { "host-insecure", "__Host-" },
        { "secure-insecure", "__Secure-" },
        { "http-insecure", "__Http-" },
        { "host-http-script", "__Host-Http-" },
        { "none-insecure", "SameSite None needs Cookie.Secure" },
        { "partitioned-insecure", "Partitioned needs Cookie.Secure" },
        { "name", "Cookie.Name" },
        { "path", "Cookie.Path" },
        { "max-age", "Cookie.MaxAge" },
        { "idle", "IdleTimeout" },
        { "touch", "TouchInterval" },
        { "bytes", "MaxDocumentBytes" },
        { "secrets", "Secrets" },
        { "empty-secret", "empty secret" },
    };

    [Theory]
    [MemberData(nameof(Contradictions))]
    public async Task K1_K2_K5_What_browsers_would_drop_or_nobody_can_mean_fails_at_start(string mistake, string named)
    {
        var thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(
            options =>
            {
                switch (mistake)
                {
                    case "host-domain":
                        options.Cookie.Domain = "example.org";
                        break;
                    case "host-path":
                        options.Cookie.Path = "/shop";
                        break;
                    case "host-insecure":
                        options.Cookie.Secure = CookieSecure.AsRequest;
                        break;
                    case "secure-insecure":
                        (options.Cookie.Name, options.Cookie.Secure) = ("__secure-x", CookieSecure.Never);
                        break;
                    case "http-insecure":
                        (options.Cookie.Name, options.Cookie.Secure) = ("__Http-x", CookieSecure.Never);
                        break;
                    case "host-http-script":
                        (options.Cookie.Name, options.Cookie.HttpOnly) = ("__Host-Http-x", false);
                        break;
                    case "none-insecure":
                        (options.Cookie.Name, options.Cookie.Secure, options.Cookie.SameSite) = ("x", CookieSecure.AsRequest, SessionSameSite.None);
                        break;
                    case "partitioned-insecure":
                        (options.Cookie.Name, options.Cookie.Secure, options.Cookie.Partitioned) = ("x", CookieSecure.Never, true);
                        break;
                    case "name":
                        options.Cookie.Name = "a b";
                        break;
                    case "path":
                        options.Cookie.Path = "/;x";
                        break;
                    case "max-age":
                        options.Cookie.MaxAge = TimeSpan.FromDays(401);
                        break;
                    case "idle":
                        options.IdleTimeout = TimeSpan.Zero;
                        break;
                    case "touch":
                        options.TouchInterval = TimeSpan.FromMinutes(20);
                        break;
                    case "bytes":
                        options.MaxDocumentBytes = 10;
                        break;
                    case "secrets":
                        options.Secrets = [];
                        break;
                    default:
                        options.Secrets = ["good", ""];
                        break;
                }
            },
            environment: "Production"));
        Assert.Contains(thrown.Failures, failure => failure.Contains(named, StringComparison.Ordinal));
    }

    private static async Task<string> BeginAsync(TestApp app, string name) => (await AskAsync(app, "/begin/" + name, null)).SetCookie!.Split(';')[0];

    private static async Task<string> NameAsync(TestApp app, string cookie) => (await AskAsync(app, "/name", cookie)).Body;

    private static async Task<(string Body, string? SetCookie)> AskAsync(TestApp app, string path, string? cookie)
    {
        using var client = app.NewBareClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }

        using var answer = await client.SendAsync(request, Token);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadAsStringAsync(Token), answer.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies.Single() : null);
    }

    private Task<TestApp> StartAsync(
        Action<SojournOptions>? options = null, string environment = "Development", Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/begin/{name}", (Session session, string name) => session.Set("name", name));
            app.MapGet("/name", (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet("/destroy", async (Session session) => await session.DestroyAsync());
            app.MapGet("/unset", (Session session) => session.Unset());
            app.MapGet("/remember", (Session session) => session.Cookie.MaxAge = TimeSpan.FromDays(30));
            app.MapGet("/set-renew-touch", async (HttpContext context, Session session) =>
            {
                session.Set("name", "grace");
                await session.SaveAsync();
                await session.RenewIdAsync();
                session.Touch();
                session.Cookie.MaxAge = TimeSpan.FromDays(1);
                await context.Response.WriteAsync("done");
            });
        },
        _store,
        options,
        services,
        _time,
        environment: environment);
}
