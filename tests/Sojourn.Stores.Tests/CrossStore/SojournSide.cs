using System.Net;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>The other side of <see cref="NodeSide"/>: an application on Sojourn's preset for express-session, over HTTP, and its session manager.</summary>
internal sealed class SojournSide : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseCookies = false });
    private CrossSession _asked = null!;
    private Func<Session, ValueTask> _work = null!;
    private ExceptionDispatchInfo? _failure;

    private SojournSide(Action<SojournBuilder> use)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = "Development", ApplicationName = "stores-tests" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddLogging(logging => logging.ClearProviders());
        use(builder.Services.AddExpressSession(o =>
        {
            (o.Secret, o.Resave, o.Proxy) = (NodeSide.Secret, false, true);
            o.GenId = context => context.Request.Headers.Cookie.Count > 0 ? "another-id" : _asked.Sid;
            o.CookieByRequest = _ => CookieWords.ToOptions(_asked.CookieOptions, _asked.MaxAge);
        }));
        _app = builder.Build();
        _app.UseSojourn();
        _app.Run(async context =>
        {
            try
            {
                await _work(context.GetSession());
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
            }
        });
    }

    /// <summary>The store itself, for what neither side does to it.</summary>
    public ISessionStore Store => _app.Services.GetRequiredService<ISessionStore>();

    public SessionManager Sessions => _app.Services.GetRequiredService<SessionManager>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<SojournSide> StartAsync(Action<SojournBuilder> use)
    {
        var side = new SojournSide(use);
        await side._app.StartAsync();
        return side;
    }

    /// <summary>A visitor without a cookie: the session is made, and its cookie given.</summary>
    public async Task CreateAsync(CrossSession session)
    {
        var cookie = await RequestAsync(session, withCookie: false, made => Set(made, session.Data));
        Assert.Equal("connect.sid=" + Signed(session.Sid), cookie?.Split(';')[0]);
    }

    /// <summary>A request that changes nothing finds each value.</summary>
    public async Task CheckAsync(CrossSession expected)
    {
        var cookie = await AskAsync(expected, session =>
        {
            Assert.Equal(expected.Sid, session.Id);
            var data = new JsonObject(session.Names.Select(name => KeyValuePair.Create(name, session.Get<JsonNode>(name)?.DeepClone())));
            Assert.True(JsonNode.DeepEquals(expected.Data, data), $"{expected.Sid}: expected {expected.Data.ToJsonString()}\nbut found {data.ToJsonString()}");
            CookieWords.Check(expected, session.Cookie);
        });
        Assert.Null(cookie);
    }

    /// <summary>Whoever asks for it gets a new session.</summary>
    public async Task CheckGoneAsync(CrossSession session)
    {
        await AskAsync(session, found => Assert.Equal("another-id", found.Id));
        await Store.DeleteAsync("another-id", null, Token);
    }

    public static void Set(Session session, JsonObject entries)
    {
        foreach (var (name, value) in entries)
        {
            session.Set(name, value);
        }
    }

    /// <summary>A request with the session's cookie; gives the Set-Cookie header.</summary>
    public Task<string?> AskAsync(CrossSession asked, Action<Session> work) => RequestAsync(asked, withCookie: true, work);

    public Task<string?> DestroyAsync(CrossSession session) => RequestAsync(session, withCookie: true, found => found.DestroyAsync(Token));

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    private static string Signed(string sid) =>
        $"s%3A{sid}.{Uri.EscapeDataString(Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(NodeSide.Secret), Encoding.UTF8.GetBytes(sid))).TrimEnd('='))}";

    private Task<string?> RequestAsync(CrossSession asked, bool withCookie, Action<Session> work) => RequestAsync(asked, withCookie, session =>
    {
        work(session);
        return default;
    });

    private async Task<string?> RequestAsync(CrossSession asked, bool withCookie, Func<Session, ValueTask> work)
    {
        (_asked, _work, _failure) = (asked, work, null);
        using var request = new HttpRequestMessage(HttpMethod.Get, _app.Urls.First() + CookieWords.PathOf(asked.CookieOptions));
        request.Headers.Add("X-Forwarded-Proto", "https");
        if (withCookie)
        {
            request.Headers.Add("Cookie", "connect.sid=" + Signed(asked.Sid));
        }

        using var response = await _client.SendAsync(request, Token);
        _failure?.Throw();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies.Single() : null;
    }
}
