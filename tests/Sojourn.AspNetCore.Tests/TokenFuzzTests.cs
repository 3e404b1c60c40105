using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore.Transport;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>
/// Whatever a Cookie or an Authorization header holds: the id that is plainly signed in it, or none, as a model says that was written without looking at the
/// reader.
/// </summary>
public sealed partial class TokenFuzzTests
{
    private const int MaxCookies = 8;
    private const int MaxId = 256;

    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A4_O12_V20_The_reader_of_cookies_finds_the_id_that_the_model_finds()
    {
        await using var app = await StartAsync();
        var tokens = app.Services.GetRequiredService<SessionTokens>();
        var corpus = Lines("cookies.txt", SessionId.New(), SessionId.New(), isEncoded: true);
        foreach (var header in corpus) Check(header);
        Corpus.Corpus.Mutations(corpus, [.. "sid=;\" \t%.:$AGO_-\r\n\0"u8, 0x80, 0xA0, 0xE2, 0xFF]).Sample(Check, iter: 20_000);

        void Check(byte[] header)
        {
            foreach (var text in (string[])[Encoding.Latin1.GetString(header), Encoding.UTF8.GetString(header)])
            {
                var context = new DefaultHttpContext();
                context.Request.Headers.Cookie = text;
                Assert.Equal((text, Model(text)), (text, tokens.Read(context.Request, DateTimeOffset.UnixEpoch).Id));
            }
        }
    }

    [Fact]
    public async Task O12_The_reader_of_headers_finds_the_id_that_the_model_finds()
    {
        await using var app = await StartAsync(services => new SojournBuilder(services).WithTransports(SessionTransports.Header()));
        var tokens = app.Services.GetRequiredService<SessionTokens>();
        var corpus = Lines("headers.txt", SessionId.New(), SessionId.New(), isEncoded: false);
        foreach (var header in corpus) Check(header);
        Corpus.Corpus.Mutations(corpus, [.. "Sesion \t:.=,%\r\n\0"u8, 0x80, 0xFF]).Sample(Check, iter: 20_000);

        void Check(byte[] header)
        {
            var text = Encoding.Latin1.GetString(header);
            var asked = new DefaultHttpContext();
            asked.Request.Headers.Authorization = text;
            Assert.Equal(
                (text, ModelOfToken(Authorization().Match(text).Groups["token"].Value.Trim(' ', '\t'))),
                (text, tokens.Read(asked.Request, DateTimeOffset.UnixEpoch).Id));
            var named = new DefaultHttpContext();
            named.Request.Headers["X-Session-Id"] = text;
            Assert.Equal((text, ModelOfToken(text.Trim(' ', '\t'))), (text, tokens.Read(named.Request, DateTimeOffset.UnixEpoch).Id));
        }
    }

    [Fact]
    public async Task A41_K3_K8_K9_V23_Over_HTTP_every_line_of_the_corpus_is_answered_as_the_model_says_or_refused_by_the_server()
    {
        await using var app = await StartAsync();
        var (ada, grace) = (await BeginAsync(app, "ada"), await BeginAsync(app, "grace"));
        foreach (var header in Lines("cookies.txt", ada, grace, isEncoded: true).Where(line => !line.Contains((byte)'\n')))
        {
            _store.ResetCounts();
            var (status, body) = await AskAsync(app, header);
            var expected = Model(Encoding.UTF8.GetString(header)) is { } id ? id == ada ? "ada" : "grace" : "nobody";
            Assert.True(
                (status == "HTTP/1.1 200 OK" && body == expected)
                    || status is "HTTP/1.1 400 Bad Request" or "HTTP/1.1 431 Request Header Fields Too Large" or "",
                $"{Encoding.Latin1.GetString(header)}: {status} {body}, expected {expected}");
            Assert.Equal(body is "ada" or "grace" ? 1 : 0, _store.Calls);
        }
    }

    /// <summary>The corpus, with tokens of two sessions where it says so.</summary>
    private static byte[][] Lines(string file, string id, string other, bool isEncoded) =>
        [.. Corpus.Corpus.Read(file).Select(line => Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(line)
        .Replace("GOOD", Sign(id, isEncoded), StringComparison.Ordinal)
        .Replace("OTHER", Sign(other, isEncoded), StringComparison.Ordinal)
        .Replace("ID", id, StringComparison.Ordinal)))];

    private static string Sign(string id, bool isEncoded)
    {
        var token = $"s:{id}.{Signature(Encoding.UTF8.GetBytes(id))}";
        return isEncoded ? Uri.EscapeDataString(token) : token;
    }

    private static string Signature(byte[] id) => Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(TestApp.Secret), id)).TrimEnd('=');

    /// <summary>RFC 6265bis, section 4.2.1, and what the documentation says of several cookies.</summary>
    private static string? Model(string header)
    {
        var values = Cookie().Matches(header).Select(match => match.Groups["value"].Value).ToList();
        var ids = values.Select(ModelOfValue).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        return values.Count <= MaxCookies && ids.Count == 1 ? ids[0] : null;
    }

    private static string? ModelOfValue(string value)
    {
        var unquoted = Quoted().Replace(value, "$1");
        if (!Plain().IsMatch(unquoted) || unquoted.Length > 3 * ("s:".Length + MaxId + ".".Length + 43))
        {
            return null;
        }

        return ModelOfToken(Encoded().Replace(unquoted, match => ((char)Convert.ToByte(match.Groups[1].Value, 16)).ToString()));
    }

    private static string? ModelOfToken(string token)
    {
        var parts = SignedId().Match(token);
        var id = Encoding.Latin1.GetBytes(parts.Groups[1].Value);
        return parts.Success && parts.Groups[2].Value == Signature(id) ? Encoding.UTF8.GetString(id) : null;
    }

    [GeneratedRegex(@"(?:\A|;)[ \t]*sid=(?<value>[^;]*?)[ \t]*(?=;|\z)")]
    private static partial Regex Cookie();

    [GeneratedRegex(@"\A[ \t]*session(?: (?<token>.*?))?[ \t]*\z", RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Authorization();

    [GeneratedRegex("""\A"(.*)"\z""", RegexOptions.Singleline)]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\A(?:[!-$&-~]|%[0-9A-Fa-f]{2})*\z")]
    private static partial Regex Plain();

    [GeneratedRegex("%(..)")]
    private static partial Regex Encoded();

    [GeneratedRegex(@"\As:(.{1,256})\.(.{43})\z", RegexOptions.Singleline)]
    private static partial Regex SignedId();

    private static async Task<string> BeginAsync(TestApp app, string name)
    {
        using var client = app.NewBareClient();
        using var answer = await client.PostAsync("/" + name, null, Token);
        return Uri.UnescapeDataString(answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0]["sid=".Length..])[2..].Split('.')[0];
    }

    /// <summary>Sent as it is: no client library would.</summary>
    private static async Task<(string Status, string Body)> AskAsync(TestApp app, byte[] cookies)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(app.Address.Host, app.Address.Port, Token);
        var stream = socket.GetStream();
        await stream.WriteAsync((byte[])[.. "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: "u8, .. cookies, .. "\r\n\r\n"u8], Token);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        var answer = "";
        try
        {
            answer = await reader.ReadToEndAsync(Token);
        }
        catch (IOException)
        {
            // The server broke off a request that it had not read to its end.
        }

        return (answer.Split("\r\n")[0], answer.Split("\r\n\r\n")[^1]);
    }

    private Task<TestApp> StartAsync(Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.MapPost("/{name}", (Session session, string name) => session.Set("user", name));
            app.MapGet("/", (HttpContext context, Session session) =>
            {
                var body = session.Get<string>("user") ?? "nobody";
                context.Response.ContentLength = body.Length;
                return context.Response.WriteAsync(body);
            });
        },
        _store,
        services: services);
}
