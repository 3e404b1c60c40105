using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore.Transport;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Strangers stay out: no cookie that was not signed here is accepted, reaches the store, or makes an exception.</summary>
public sealed class StrangersTests
{
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_100_000_forged_cookies_none_is_accepted()
    {
        await using var app = await StartAsync();
        var tokens = app.Services.GetRequiredService<SessionTokens>();
        var forger = new Forger(app.Services.GetRequiredService<SessionToken>(), seed: 1);
        for (var i = 0; i < 100_000; i++)
        {
            var header = forger.Next();
            var context = new DefaultHttpContext();
            context.Request.Headers.Cookie = header;
            Assert.True(tokens.Read(context.Request, DateTimeOffset.UnixEpoch).Id is null, header);
        }

        Assert.Equal(0, _store.Calls);
    }

    [Fact]
    public async Task A4_O12_Forged_cookies_over_HTTP_are_answered_as_a_strangers_and_cost_no_store_call()
    {
        await using var app = await StartAsync();
        var forger = new Forger(app.Services.GetRequiredService<SessionToken>(), seed: 2);
        var refused = 0;
        for (var connection = 0; connection < 40; connection++)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(app.Address.Host, app.Address.Port, Token);
            var stream = socket.GetStream();
            using var reader = new StreamReader(stream, Encoding.Latin1);
            for (var i = 0; i < 50; i++)
            {
                await stream.WriteAsync(Encoding.Latin1.GetBytes($"GET / HTTP/1.1\r\nHost: x\r\nCookie: {forger.Next()}\r\n\r\n"), Token);
                var status = await reader.ReadLineAsync(Token);
                if (status == "HTTP/1.1 400 Bad Request")
                {
                    // Kestrel itself refuses control characters, and closes the connection.
                    refused++;
                    break;
                }

                Assert.Equal("HTTP/1.1 200 OK", status);
                var headers = new List<string>();
                while (await reader.ReadLineAsync(Token) is { Length: > 0 } line)
                {
                    headers.Add(line);
                }

                Assert.DoesNotContain(headers, line => line.StartsWith("Set-Cookie", StringComparison.OrdinalIgnoreCase));
                var body = new char[6];
                await reader.ReadBlockAsync(body, Token);
                Assert.Equal("nobody", new string(body));
            }
        }

        Assert.InRange(refused, 1, 39);
        Assert.Equal(0, _store.Calls);
    }

    [Fact]
    public async Task O11_An_id_that_is_signed_here_and_unknown_is_never_adopted()
    {
        await using var app = await StartAsync();
        var token = SessionToken.Encode(app.Services.GetRequiredService<SessionToken>().Write(SessionId.New()));
        using var client = app.NewBareClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Headers = { { "Cookie", "sid=" + token } } };
        using var answer = await client.SendAsync(request, Token);
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.DoesNotContain(token, cookie, StringComparison.Ordinal);
        Assert.Equal(1, _store.CallsOf(StoreVerb.Create));
    }

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/", (HttpContext context, Session session) =>
            {
                context.Response.ContentLength = 6;
                return context.Response.WriteAsync(session.Get<string>("user") ?? "nobody");
            });
            app.MapPost("/", (Session session) => session.Set("user", "mallory"));
        },
        _store);

    /// <summary>Makes headers that a stranger could send: from real tokens, but never one that decodes to a real token.</summary>
    private sealed class Forger(SessionToken token, int seed)
    {
        private readonly Random _random = new(seed);
        private readonly SessionToken _otherSecret = new(Microsoft.Extensions.Options.Options.Create(new SojournOptions { Secrets = ["another secret"] }));

        public string Next()
        {
            while (true)
            {
                var good = NewToken();
                var forged = Forge(good);
                if (Uri.UnescapeDataString(forged.Trim('"')) != Uri.UnescapeDataString(good))
                {
                    return Wrap(forged);
                }
            }
        }

        private string NewToken() => SessionToken.Encode(token.Write(SessionId.New()));

        private string Forge(string good)
        {
            var at = _random.Next(good.Length);
            return _random.Next(12) switch
            {
                0 => good[..at],
                1 => good[at..],
                2 => good[..at] + (char)(good[at] ^ (1 << _random.Next(7))) + good[(at + 1)..],
                3 => good[..at] + (char)_random.Next(1, 256) + good[(at + 1)..],
                4 => good.Insert(at, ((char)_random.Next(33, 127)).ToString()),
                5 => good.Split('.')[0] + "." + NewToken().Split('.')[1],
                6 => SessionToken.Encode(_otherSecret.Write(SessionId.New())),
                7 => good + new string('A', _random.Next(1, 3000)),
                8 => "s%3A" + new string('a', _random.Next(0, 400)) + "." + good.Split('.')[1],
                9 => good.Replace("s%3A", _random.Next(2) == 0 ? "" : "j%3A", StringComparison.Ordinal),
                10 => string.Concat(Enumerable.Range(0, _random.Next(200)).Select(_ => (char)_random.Next(32, 127))).Replace(';', ','),
                _ => good.Replace("%", "%25", StringComparison.Ordinal),
            };
        }

        private string Wrap(string forged) => _random.Next(8) switch
        {
            0 => $"a=1; sid={forged}; b=2",
            1 => $"sid={forged}; sid={forged}",
            2 => $"sid=\"{forged}\"",
            3 => $"SID={NewToken()}; Sid={forged}",
            4 => $"=sid={NewToken()}; xsid={NewToken()}",
            5 => $"sid ={NewToken()}; $Version=1; %73id={NewToken()}",
            _ => $"sid={forged}",
        };
    }
}
