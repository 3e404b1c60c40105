using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests.Security;

/// <summary>The cookie as browsers want it (RFC 6265bis), whichever of the reasons it is sent for.</summary>
public sealed class CookieRulesTests
{
    private const string Attributes = "; Path=/; HttpOnly; Secure; SameSite=Lax";

    private readonly MemorySessionStore _store = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A20_A21_A22_O1_O6_O7_O8_O9_N7_N8_N13_K10_By_default_the_cookie_is_as_narrow_as_a_cookie_can_be()
    {
        await using var app = await StartAsync();
        var cookie = Assert.Single(await SetCookiesAsync(app, "/set"));
        Assert.StartsWith("__Host-sid=", cookie, StringComparison.Ordinal);
        Assert.EndsWith(Attributes, cookie, StringComparison.Ordinal);
        Assert.DoesNotContain("Domain", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Max-Age", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Expires", cookie, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A24_K4_Name_and_value_are_far_from_4096_bytes()
    {
        await using var app = await StartAsync();
        Assert.InRange(Assert.Single(await SetCookiesAsync(app, "/set")).Length, 1, 256);
    }

    [Fact]
    public async Task V24_K12_Every_cookie_that_is_set_renewed_sent_again_signed_anew_or_cleared_bears_the_same_attributes()
    {
        string begun;
        await using (var before = await StartAsync(o => o.Secrets = ["old"]))
        {
            begun = Assert.Single(await SetCookiesAsync(before, "/set"));
        }

        await using var app = await StartAsync(o => (o.Secrets, o.Rolling) = (["new", "old"], true));
        var signedAnew = Assert.Single(await SetCookiesAsync(app, "/get", begun));
        var again = Assert.Single(await SetCookiesAsync(app, "/get", signedAnew));
        var renewed = Assert.Single(await SetCookiesAsync(app, "/renew", again));
        var regenerated = Assert.Single(await SetCookiesAsync(app, "/regenerate", renewed));
        var cleared = Assert.Single(await SetCookiesAsync(app, "/destroy", regenerated));
        Assert.All([begun, signedAnew, again, renewed, regenerated], cookie => Assert.EndsWith(Attributes, cookie, StringComparison.Ordinal));
        Assert.Equal(
            "__Host-sid=" + Attributes.Replace("Path=/", "Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", StringComparison.Ordinal), cleared);
    }

    [Fact]
    public async Task K6_V12_One_Set_Cookie_of_the_name_stands_beside_those_of_others()
    {
        await using var app = await StartAsync(o => o.Rolling = true);
        var cookies = await SetCookiesAsync(app, "/everything", Assert.Single(await SetCookiesAsync(app, "/set")));
        Assert.Single(cookies, cookie => cookie.StartsWith("__Host-sid=", StringComparison.Ordinal));
        Assert.Equal(["a=1; path=/", "b=2; path=/"], cookies.Where(cookie => !cookie.StartsWith("__Host-sid=", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A37_K7_Cookies_may_come_in_several_headers_and_two_sessions_in_one_request_are_refused()
    {
        await using var app = await StartAsync();
        var ada = Assert.Single(await SetCookiesAsync(app, "/set")).Split(';')[0];
        var grace = Assert.Single(await SetCookiesAsync(app, "/set")).Split(';')[0];
        Assert.Equal("set", await AskAsync(app, "a=1", ada, "b=2"));
        Assert.Equal("set", await AskAsync(app, ada, "__Host-sid=forged"));
        Assert.Equal("nobody", await AskAsync(app, ada, grace));
        Assert.Equal("nobody", await AskAsync(app, ada + "; " + grace));
    }

    [Fact]
    public async Task O18_K13_V13_Only_the_servers_deadline_counts_and_no_cookie_attribute_moves_it()
    {
        await using var app = await StartAsync(o => (o.Cookie.MaxAge, o.PruneInterval) = (TimeSpan.FromDays(400), TimeSpan.FromDays(40)));
        var cookie = Assert.Single(await SetCookiesAsync(app, "/set"));
        Assert.Contains("Max-Age=34560000", cookie, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(20) - TimeSpan.FromSeconds(1));
        Assert.Equal("set", await AskAsync(app, cookie.Split(';')[0]));
        _time.Advance(TimeSpan.FromMinutes(20) + TimeSpan.FromSeconds(1));

        // The row is still there, and judged by its deadline.
        Assert.Equal(1, await _store.CountAsync(Token));
        Assert.Equal("nobody", await AskAsync(app, cookie.Split(';')[0]));
    }

    [Fact]
    public async Task A10_O20_V14_N6_V31_A_cookie_that_was_copied_before_the_sign_out_opens_nothing_after_it()
    {
        await using var app = await StartAsync();
        var cookie = Assert.Single(await SetCookiesAsync(app, "/set")).Split(';')[0];
        Assert.Contains("Max-Age=0", Assert.Single(await SetCookiesAsync(app, "/destroy", cookie)), StringComparison.Ordinal);
        Assert.Equal(0, await _store.CountAsync(Token));
        Assert.Equal("nobody", await AskAsync(app, cookie));
    }

    [Fact]
    public async Task A19_V9_Visitors_who_only_read_or_sign_out_cost_the_store_nothing()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        for (var i = 0; i < 500; i++)
        {
            foreach (var path in new[] { "/get", "/look", "/destroy", "/unset" })
            {
                using var answer = await client.GetAsync(path, Token);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Assert.False(answer.Headers.Contains("Set-Cookie"), path);
            }
        }

        Assert.Equal(0, await _store.CountAsync(Token));
    }

    private static async Task<IReadOnlyList<string>> SetCookiesAsync(TestApp app, string path, string? cookie = null)
    {
        using var client = app.NewBareClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie.Split(';')[0]);
        }

        using var answer = await client.SendAsync(request, Token);
        return answer.EnsureSuccessStatusCode().Headers.TryGetValues("Set-Cookie", out var set) ? [.. set] : [];
    }

    /// <summary>Each in a header of its own.</summary>
    private static async Task<string> AskAsync(TestApp app, params string[] cookies)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(app.Address.Host, app.Address.Port, Token);
        var stream = socket.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"GET /get HTTP/1.0\r\nHost: x\r\n{string.Concat(cookies.Select(cookie => $"Cookie: {cookie}\r\n"))}\r\n"), Token);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var answer = await reader.ReadToEndAsync(Token);
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        return answer.Split("\r\n\r\n")[1];
    }

    private Task<TestApp> StartAsync(Action<SojournOptions>? options = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/set", (Session session) => session.Set("name", "set"));
            app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet(
                "/look",
                (HttpContext context, Session session) =>
                    _ = (session.Id, session.Handle, session.Names, session.Contains("name"), session.ExpiresAt, session.Cookie, context.Session.Keys));
            app.MapGet("/renew", async (Session session) => await session.RenewIdAsync());
            app.MapGet("/regenerate", async (Session session) =>
            {
                await session.RegenerateAsync();
                session.Set("name", "again");
            });
            app.MapGet("/destroy", async (Session session) => await session.DestroyAsync());
            app.MapGet("/unset", (Session session) => session.Unset());
            app.MapGet("/everything", async (HttpContext context, Session session) =>
            {
                context.Response.Cookies.Append("a", "1");
                session.Set("name", "everything");
                await session.SaveAsync();
                session.Touch();
                await session.RenewIdAsync();
                session.Cookie.Priority = SessionCookiePriority.High;
                await session.RegenerateAsync();
                session.Set("name", "again");
                context.Response.Cookies.Append("b", "2");
            });
        },
        _store,
        options,
        time: _time,
        environment: "Production");
}
