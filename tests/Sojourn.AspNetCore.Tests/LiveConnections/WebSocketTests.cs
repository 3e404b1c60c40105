using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.LiveConnections;

public sealed class WebSocketTests
{
    private readonly TaskCompletionSource<string> _handler = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A27_O31_V25_When_the_session_ends_its_sockets_close_with_1008_and_others_stay()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var bob = await app.SignInAsync("bob");
        using var first = await app.ConnectAsync(ada, "/echo");
        using var second = await app.ConnectAsync(ada, "/echo");
        using var bobs = await app.ConnectAsync(bob, "/echo");
        Assert.Equal("hello", await EchoAsync(first, "hello"));

        await app.EndAsync();

        foreach (var socket in (ClientWebSocket[])[first, second])
        {
            Assert.Equal(WebSocketMessageType.Close, (await ReceiveAsync(socket)).MessageType);
            Assert.Equal((WebSocketCloseStatus.PolicyViolation, "The session has ended."), (socket.CloseStatus, socket.CloseStatusDescription));
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Token);
        }

        Assert.Equal("left by NormalClosure, closed", await _handler.Task.WaitAsync(LiveApp.Patience, Token));
        Assert.Equal("still here", await EchoAsync(bobs, "still here"));
    }

    [Fact]
    public async Task Over_HTTP2_it_is_the_same()
    {
        await using var app = await StartAsync(protocols: HttpProtocols.Http2);
        var cookies = new CookieContainer();
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { CookieContainer = cookies });
        using var signsIn = new HttpRequestMessage(HttpMethod.Post, new Uri(app.Address, "/in/ada"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var signedIn = await client.SendAsync(signsIn, Token);
        using var socket = new ClientWebSocket();
        (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        await socket.ConnectAsync(new UriBuilder(new Uri(app.Address, "/echo")) { Scheme = "ws" }.Uri, client, Token);
        Assert.Equal("hello", await EchoAsync(socket, "hello"));
        await app.EndAsync();
        await UntilClosedAsync(socket);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.CloseStatus);
    }

    [Fact]
    public async Task A_new_id_does_not_close_the_socket_and_the_end_under_it_does()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/echo");
        await LiveApp.PostAsync(ada, "/renew");
        await LiveApp.PostAsync(ada, "/in/ada");
        Assert.Equal("hello", await EchoAsync(socket, "hello"));
        await LiveApp.PostAsync(ada, "/out");
        Assert.Equal(WebSocketMessageType.Close, (await ReceiveAsync(socket)).MessageType);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.CloseStatus);
    }

    [Fact]
    public async Task A_handler_that_only_sends_closes_too()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/ticks");
        Assert.Equal(WebSocketMessageType.Text, (await ReceiveAsync(socket)).MessageType);
        await app.EndAsync();
        await UntilClosedAsync(socket);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.CloseStatus);
        Assert.StartsWith("State ", await _handler.Task.WaitAsync(LiveApp.Patience, Token), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/leaves")]
    [InlineData("/throws")]
    public async Task A_handler_that_leaves_at_the_end_of_the_session_does_not_keep_the_peer_from_hearing_why(string path)
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, path);
        await app.EndAsync();
        await UntilClosedAsync(socket);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, socket.CloseStatus);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_is_left()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var app = await StartAsync(time: time);
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/echo");
        await app.EndAsync();

        // The close lies in the peer's buffer, and it never looks.
        for (var i = 0; i < 1_500 && !_handler.Task.IsCompleted; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20, Token);
        }

        Assert.StartsWith("left by ", await _handler.Task, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_peer_sends_after_the_end_is_not_handed_to_the_handler()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/echo");
        await app.EndAsync();
        await socket.SendAsync(Encoding.UTF8.GetBytes("delete everything"), WebSocketMessageType.Text, endOfMessage: true, Token);
        var answer = await ReceiveAsync(socket);
        Assert.Equal(WebSocketMessageType.Close, answer.MessageType);
    }

    [Fact]
    public async Task The_session_is_saved_before_the_upgrade_and_later_by_asking()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/counts");
        Assert.Equal(1, await ada.GetFromJsonAsync<int>("/number/opened", Token));
        await EchoAsync(socket, "one");
        await EchoAsync(socket, "two");
        Assert.Equal(2, await ada.GetFromJsonAsync<int>("/number/messages", Token));
    }

    [Fact]
    public async Task A_visitor_gets_their_cookie_with_the_upgrade()
    {
        await using var app = await StartAsync();
        using var visitor = app.NewClient();
        using var socket = await app.ConnectAsync(visitor, "/counts");
        var cookie = socket.HttpResponseHeaders!["Set-Cookie"].Single();
        Assert.StartsWith("sid=", cookie, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_fails_at_the_upgrade_is_503_and_no_socket()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var ada = await app.SignInAsync();
        store.On(StoreVerb.Replace).Fail();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await RefusedAsync(app, ada, "/counts"));
    }

    [Theory]
    [InlineData("http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("", null)]
    [InlineData("self", null)]
    public async Task A27_A_page_of_another_origin_opens_no_socket(string origin, HttpStatusCode? refused)
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        Action<ClientWebSocketOptions>? from = origin is "" ? null : options =>
            options.SetRequestHeader("Origin", origin is "self" ? app.Address.GetLeftPart(UriPartial.Authority) : origin);
        if (refused is { } status)
        {
            Assert.Equal(status, await RefusedAsync(app, ada, "/echo", from));
        }
        else
        {
            using var socket = await app.ConnectAsync(ada, "/echo", from);
            Assert.Equal("hello", await EchoAsync(socket, "hello"));
        }
    }

    [Fact]
    public async Task Origins_that_the_application_lists_may()
    {
        await using var app = await StartAsync(
            services: services => services.Configure<WebSocketOptions>(options => options.AllowedOrigins.Add("https://partner.example")));
        using var ada = await app.SignInAsync();
        using var socket = await app.ConnectAsync(ada, "/echo", options => options.SetRequestHeader("Origin", "https://partner.example"));
        Assert.Equal("hello", await EchoAsync(socket, "hello"));
        Assert.Equal(HttpStatusCode.Forbidden, await RefusedAsync(app, ada, "/echo", options => options.SetRequestHeader("Origin", "https://evil.example")));
    }

    [Fact]
    public async Task A_request_that_is_none_for_a_socket_is_400()
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        Assert.Equal(HttpStatusCode.BadRequest, (await ada.GetAsync(new Uri("/echo", UriKind.Relative), Token)).StatusCode);
    }

    [Fact]
    public async Task An_open_socket_is_no_activity_unless_it_is_asked_to_keep_the_session_alive()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var app = await StartAsync(time: time);
        using var ada = await app.SignInAsync();
        using var bob = await app.SignInAsync("bob");
        using var closes = await app.ConnectAsync(ada, "/echo");
        using var stays = await app.ConnectAsync(bob, "/stays");
        for (var minute = 0; minute < 45; minute++)
        {
            await EchoAsync(stays, "minute");
            await app.AMinuteLaterAsync(time, keptAlive: "bob");
        }

        await UntilClosedAsync(closes);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, closes.CloseStatus);
        Assert.Equal("still here", await EchoAsync(stays, "still here"));
        Assert.Equal("bob", await bob.GetStringAsync("/who", Token));
        Assert.Equal("nobody", await ada.GetStringAsync("/who", Token));
    }

    private Task<TestApp> StartAsync(
        ISessionStore? store = null, TimeProvider? time = null, Action<IServiceCollection>? services = null,
        HttpProtocols protocols = HttpProtocols.Http1) => TestApp.StartAsync(
        app =>
        {
            app.UseWebSockets();
            app.MapSigningIn();
            app.Map("/echo", context => EchoAsync(context, keepAlive: false));
            app.MapGet("/stays", context => EchoAsync(context, keepAlive: true));
            app.MapGet("/counts", CountAsync);
            app.MapGet("/ticks", TickAsync);
            app.MapGet("/leaves", static async (HttpContext context, Session session) =>
            {
                using var socket = await context.AcceptSessionWebSocketAsync();
                await Task.Delay(Timeout.Infinite, session.Ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            });
            app.MapGet("/throws", static async (HttpContext context, Session session) =>
            {
                using var socket = await context.AcceptSessionWebSocketAsync();
                await Task.Delay(Timeout.Infinite, session.Ended);
            });
        },
        store,
        o => o.IdleTimeout = TimeSpan.FromMinutes(20),
        services,
        time,
        protocols: protocols);

    /// <summary>As ASP.NET Core's documentation writes it.</summary>
    private async Task EchoAsync(HttpContext context, bool keepAlive)
    {
        using var socket = await context.AcceptSessionWebSocketAsync(keepAlive);
        var buffer = new byte[1024];
        var received = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), CancellationToken.None);
        while (received.CloseStatus is null)
        {
            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
            received = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), CancellationToken.None);
        }

        await socket.CloseAsync(received.CloseStatus.Value, received.CloseStatusDescription, CancellationToken.None);
        _handler.TrySetResult($"left by {received.CloseStatus}, closed");
    }

    private async Task TickAsync(HttpContext context)
    {
        using var socket = await context.AcceptSessionWebSocketAsync();
        try
        {
            while (socket.State == WebSocketState.Open)
            {
                await socket.SendAsync("tick"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
                await Task.Delay(5, context.RequestAborted);
            }
        }
        catch (WebSocketException)
        {
            // The socket closed between the question and the sending.
        }

        _handler.TrySetResult($"State {socket.State}");
    }

    private static async Task CountAsync(HttpContext context)
    {
        var session = context.GetSession();
        session.Update<int>("opened", static opened => opened + 1);
        using var socket = await context.AcceptSessionWebSocketAsync();
        var buffer = new byte[1024];
        while (await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } received)
        {
            session.Update<int>("messages", static messages => messages + 1);
            await session.SaveAsync();
            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
        }
    }

    private static async Task<string> EchoAsync(ClientWebSocket socket, string text)
    {
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, Token);
        var buffer = new byte[1024];
        var received = await socket.ReceiveAsync(buffer.AsMemory(), Token).AsTask().WaitAsync(LiveApp.Patience, Token);
        return Encoding.UTF8.GetString(buffer, 0, received.Count);
    }

    private static Task<ValueWebSocketReceiveResult> ReceiveAsync(ClientWebSocket socket) =>
        socket.ReceiveAsync(new byte[1024].AsMemory(), Token).AsTask().WaitAsync(LiveApp.Patience, Token);

    private static async Task UntilClosedAsync(ClientWebSocket socket)
    {
        while ((await ReceiveAsync(socket)).MessageType != WebSocketMessageType.Close)
        {
        }
    }

    private static async Task<HttpStatusCode> RefusedAsync(TestApp app, HttpClient client, string path, Action<ClientWebSocketOptions>? options = null)
    {
        using var socket = new ClientWebSocket();
        socket.Options.Cookies = TestApp.CookiesOf(client);
        socket.Options.CollectHttpResponseDetails = true;
        options?.Invoke(socket.Options);
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new UriBuilder(new Uri(app.Address, path)) { Scheme = "ws" }.Uri, Token));
        return socket.HttpStatusCode;
    }
}
