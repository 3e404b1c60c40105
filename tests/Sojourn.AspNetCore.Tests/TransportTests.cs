using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The token by header, by cookie, by both, and by nothing else.</summary>
public sealed class TransportTests
{
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Authorization", "Session {0}")]
    [InlineData("Authorization", "session  {0}")]
    [InlineData("X-Session-Id", "{0}")]
    [InlineData("x-session-id", " {0} ")]
    public async Task A_client_of_the_header_gets_its_token_there_and_no_cookie(string header, string value)
    {
        await using var app = await StartAsync(SessionTransports.Header());
        var (_, headers) = await AskAsync(app, "/begin/ada");
        var token = Assert.Single(headers["X-Session-Id"]);
        Assert.StartsWith("s:", token, StringComparison.Ordinal);
        Assert.False(headers.ContainsKey("Set-Cookie"));
        var (name, unchanged) = await AskAsync(app, "/name", (header, string.Format(null, value, token)));
        Assert.Equal("ada", name);
        Assert.False(unchanged.ContainsKey("X-Session-Id"));
        Assert.False(unchanged.ContainsKey("Set-Cookie"));
    }

    [Fact]
    public async Task A_renewed_id_and_the_end_come_by_header_too()
    {
        await using var app = await StartAsync(SessionTransports.Cookie, SessionTransports.Header());
        var old = (await AskAsync(app, "/begin/ada", ("X-Session-Id", ""))).Headers["X-Session-Id"].Single();
        var (_, renewed) = await AskAsync(app, "/renew", ("Authorization", "Session " + old));
        var token = Assert.Single(renewed["X-Session-Id"]);
        Assert.NotEqual(old, token);
        Assert.Equal("nobody", (await AskAsync(app, "/name", ("X-Session-Id", old))).Body);
        Assert.Equal("ada", (await AskAsync(app, "/name", ("X-Session-Id", token))).Body);
        var (_, ended) = await AskAsync(app, "/destroy", ("X-Session-Id", token));
        Assert.Equal("", Assert.Single(ended["X-Session-Id"]));
        Assert.False(renewed.ContainsKey("Set-Cookie") || ended.ContainsKey("Set-Cookie"));
        Assert.Equal("nobody", (await AskAsync(app, "/name", ("X-Session-Id", token))).Body);
    }

    [Theory]
    [InlineData(null, null, "Set-Cookie")]
    [InlineData("Cookie", "sid=forged", "Set-Cookie")]
    [InlineData("Authorization", "Bearer abc", "Set-Cookie")]
    [InlineData("Authorization", "Sessions abc", "Set-Cookie")]
    [InlineData("X-Session-Id", "", "X-Session-Id")]
    [InlineData("X-Session-Id", "forged", "X-Session-Id")]
    [InlineData("Authorization", "Session", "X-Session-Id")]
    [InlineData("Authorization", "Session forged", "X-Session-Id")]
    public async Task A_new_visitor_is_answered_as_it_speaks(string? header, string? value, string answeredBy)
    {
        await using var app = await StartAsync(SessionTransports.Cookie, SessionTransports.Header());
        var (_, headers) = await AskAsync(app, "/begin/ada", header is null ? [] : [(header, value!)]);
        Assert.Equal(answeredBy, Assert.Single(headers.Keys, key => key is "Set-Cookie" or "X-Session-Id"));
    }

    [Fact]
    public async Task An_ended_session_of_a_header_is_followed_by_a_new_one_by_header()
    {
        await using var app = await StartAsync(SessionTransports.Cookie, SessionTransports.Header());
        var token = (await AskAsync(app, "/begin/ada", ("X-Session-Id", ""))).Headers["X-Session-Id"].Single();
        await AskAsync(app, "/destroy", ("X-Session-Id", token));
        var (_, headers) = await AskAsync(app, "/begin/grace", ("X-Session-Id", token));
        Assert.NotEqual(token, Assert.Single(headers["X-Session-Id"]));
        Assert.False(headers.ContainsKey("Set-Cookie"));
    }

    [Fact]
    public async Task Tokens_of_different_sessions_are_refused_together_and_of_one_session_they_agree()
    {
        await using var app = await StartAsync(SessionTransports.Cookie, SessionTransports.Header());
        var ada = (await AskAsync(app, "/begin/ada", ("X-Session-Id", ""))).Headers["X-Session-Id"].Single();
        var grace = (await AskAsync(app, "/begin/grace")).Headers["Set-Cookie"].Single().Split(';')[0];
        _store.ResetCounts();
        Assert.Equal("nobody", (await AskAsync(app, "/name", ("Cookie", grace), ("X-Session-Id", ada))).Body);
        Assert.Equal("nobody", (await AskAsync(app, "/name", ("Cookie", grace), ("Authorization", "Session " + ada))).Body);
        Assert.Equal(0, _store.Calls);
        Assert.Equal("ada", (await AskAsync(app, "/name", ("Cookie", "sid=" + Uri.EscapeDataString(ada)), ("X-Session-Id", ada))).Body);
        Assert.Equal("ada", (await AskAsync(app, "/name", ("Authorization", "Session " + ada), ("X-Session-Id", ada))).Body);
        Assert.Equal("grace", (await AskAsync(app, "/name", ("Cookie", grace), ("X-Session-Id", "forged"))).Body);
    }

    [Fact]
    public async Task O5_The_token_is_read_where_the_application_said_and_nowhere_else()
    {
        await using var byCookie = await StartAsync(SessionTransports.Cookie);
        await using var byHeader = await StartAsync(SessionTransports.Header());
        var token = (await AskAsync(byHeader, "/begin/ada")).Headers["X-Session-Id"].Single();
        var encoded = Uri.EscapeDataString(token);
        Assert.Equal("ada", (await AskAsync(byHeader, "/name", ("X-Session-Id", token))).Body);
        Assert.Equal("ada", (await AskAsync(byCookie, "/name", ("Cookie", "sid=" + encoded))).Body);
        _store.ResetCounts();
        (string, string)[][] elsewhere =
        [
            [("X-Session-Id", encoded), ("Authorization", "Session " + encoded)],
            [("Authorization", token)],
            [("Authorization", "Bearer " + token)],
            [("Authorization", "Basic " + Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes("sid:" + token)))],
            [("Session-Id", token), ("X-Session", token), ("X-Session-Token", token), ("Session", token)],
            [("Proxy-Authorization", "Session " + token), ("Referer", "http://localhost/?sid=" + encoded), ("X-Original-URL", "/name?sid=" + encoded)],
        ];
        foreach (var headers in elsewhere)
        {
            Assert.Equal("nobody", (await AskAsync(byHeader, "/name", headers)).Body);
            Assert.Equal("nobody", (await AskAsync(byCookie, "/name", headers)).Body);
        }

        // Each ignores the other's way altogether.
        Assert.Equal("nobody", (await AskAsync(byHeader, "/name", ("Cookie", "sid=" + encoded))).Body);
        Assert.Equal("nobody", (await AskAsync(byCookie, "/name", ("X-Session-Id", token), ("Authorization", "Session " + token))).Body);
        foreach (var app in (TestApp[])[byHeader, byCookie])
        {
            Assert.Equal("nobody", (await AskAsync(app, $"/name?sid={encoded}&X-Session-Id={encoded}&session={encoded}")).Body);
            Assert.Equal("nobody", (await AskAsync(app, $"/name;sid={encoded}")).Body);
            using var client = app.NewBareClient();
            using var form = new FormUrlEncodedContent([new("sid", token), new("X-Session-Id", token)]);
            using var answer = await client.PostAsync("/name", form, Token);
            Assert.Equal("nobody", await answer.Content.ReadAsStringAsync(Token));
        }

        Assert.Equal(0, _store.Calls);
    }

    [Fact]
    public async Task V15_The_token_of_a_header_is_never_logged_and_comes_back_in_no_body()
    {
        var logs = new FakeLogCollector();
        await using var app = await StartAsync(
            [SessionTransports.Header(), SessionTransports.Cookie],
            services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new FakeLoggerProvider(logs))));
        var token = (await AskAsync(app, "/begin/ada")).Headers["X-Session-Id"].Single();
        var other = (await AskAsync(app, "/begin/grace")).Headers["X-Session-Id"].Single();
        string[] tokens = [token, other, (await AskAsync(app, "/renew", ("Authorization", "Session " + token))).Headers["X-Session-Id"].Single()];
        await AskAsync(app, "/name", ("Authorization", "Session " + token));
        await AskAsync(app, "/name", ("Authorization", "Session " + other), ("X-Session-Id", tokens[2]));
        await AskAsync(app, "/name", ("X-Session-Id", token + "x"));
        _store.On(StoreVerb.Read).Fail();
        using (var client = app.NewBareClient())
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/name") { Headers = { { "X-Session-Id", other } } };
            using var failed = await client.SendAsync(request, Token);
            Assert.DoesNotContain(other["s:".Length..].Split('.')[0], await failed.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        }

        Assert.Contains(logs.GetSnapshot(), record => record.Category!.StartsWith("Sojourn", StringComparison.Ordinal));
        foreach (var sent in tokens)
        {
            var id = sent["s:".Length..].Split('.')[0];
            var signature = sent.Split('.')[1];
            Assert.DoesNotContain(logs.GetSnapshot(), record =>
                record.Message.Contains(id, StringComparison.Ordinal)
                || record.Message.Contains(signature, StringComparison.Ordinal)
                || (record.Exception?.ToString().Contains(id, StringComparison.Ordinal) ?? false));
        }
    }

    [Fact]
    public async Task Caches_are_told_of_every_header_that_counts()
    {
        await using var both = await StartAsync(SessionTransports.Cookie, SessionTransports.Header());
        Assert.Equal("Cookie, Authorization, X-Session-Id", string.Join(", ", (await AskAsync(both, "/name")).Headers["Vary"]));
        Assert.Equal("Accept-Encoding, Cookie, Authorization, X-Session-Id", string.Join(", ", (await AskAsync(both, "/vary")).Headers["Vary"]));
        await using var header = await StartAsync(SessionTransports.Header("X-App-Session"));
        var (_, begun) = await AskAsync(header, "/begin/ada");
        Assert.Equal("Authorization, X-App-Session", string.Join(", ", begun["Vary"]));
        Assert.Equal("no-store", Assert.Single(begun["Cache-Control"]));
    }

    [Fact]
    public async Task An_application_may_bring_a_transport_of_its_own()
    {
        await using var app = await StartAsync(new SubprotocolTransport());
        var (_, begun) = await AskAsync(app, "/begin/ada");
        var protocol = Assert.Single(begun["Sec-WebSocket-Protocol"]);
        Assert.Equal("ada", (await AskAsync(app, "/name", ("Sec-WebSocket-Protocol", "chat, " + protocol))).Body);
        Assert.Equal("nobody", (await AskAsync(app, "/name", ("Sec-WebSocket-Protocol", "chat, " + protocol[..^2] + "21"))).Body);
    }

    [Fact]
    public void What_cannot_be_a_transport_is_refused_at_once()
    {
        var builder = new ServiceCollection().AddSojourn();
        Assert.Throws<ArgumentException>(() => builder.WithTransports());
        Assert.Throws<ArgumentException>(() => builder.WithTransports(null!, SessionTransports.Cookie));
        Assert.Throws<ArgumentException>(() => SessionTransports.Header("Cookie"));
        Assert.Throws<ArgumentException>(() => SessionTransports.Header("X Session"));
        Assert.Throws<ArgumentException>(() => SessionTransports.Header(scheme: "My Session"));
    }

    private static async Task<(string Body, Dictionary<string, string[]> Headers)> AskAsync(
        TestApp app, string path, params (string Name, string Value)[] headers)
    {
        using var client = app.NewBareClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await client.SendAsync(request, Token);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadAsStringAsync(Token), answer.Headers.ToDictionary(header => header.Key, header => header.Value.ToArray(), StringComparer.OrdinalIgnoreCase));
    }

    private Task<TestApp> StartAsync(params ISessionTransport[] transports) => StartAsync(transports, null);

    private Task<TestApp> StartAsync(ISessionTransport[] transports, Action<IServiceCollection>? services) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/begin/{name}", (Session session, string name) => session.Set("name", name));
            app.MapMethods("/{**path}", ["GET", "POST"], (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet("/renew", async (Session session) => await session.RenewIdAsync());
            app.MapGet("/destroy", async (Session session) => await session.DestroyAsync());
            app.MapGet("/vary", (HttpContext context, Session session) =>
            {
                context.Response.Headers.Vary = "Accept-Encoding";
                return session.Get<string>("name") ?? "nobody";
            });
        },
        _store,
        services: collection =>
        {
            new SojournBuilder(collection).WithTransports(transports);
            services?.Invoke(collection);
        });

    /// <summary>What a browser's WebSocket can send: neither a header of the application's own nor a colon.</summary>
    private sealed class SubprotocolTransport : ISessionTransport
    {
        public IReadOnlyList<string> RequestHeaders => ["Sec-WebSocket-Protocol"];

        public bool Read(HttpRequest request, ref TokenCandidates candidates)
        {
            var isSpoken = false;
            foreach (var protocol in request.Headers.GetCommaSeparatedValues("Sec-WebSocket-Protocol"))
            {
                if (protocol.StartsWith("session.", StringComparison.Ordinal))
                {
                    isSpoken = true;
                    candidates.Offer(System.Text.Encoding.ASCII.GetString(Convert.FromHexString(protocol["session.".Length..])));
                }
            }

            return isSpoken;
        }

        public void Write(HttpResponse response, string token, SessionCookie cookie) =>
            response.Headers["Sec-WebSocket-Protocol"] = "session." + Convert.ToHexString(System.Text.Encoding.ASCII.GetBytes(token));

        public void Clear(HttpResponse response, SessionCookie cookie)
        {
        }
    }
}
