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

/// <summary>Whatever a Cookie header holds: the id that is plainly signed in it, or none, as a model says that was written without looking at the reader.</summary>
public sealed partial class CookieFuzzTests
{
    private const int MaxCookies = 8;
    private const int MaxId = 256;

    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Security", "A4")]
    [Trait("Security", "O12")]
    [Trait("Security", "V20")]
    public async Task The_reader_finds_the_id_that_the_model_finds()
    {
        await using var app = await StartAsync();
        var transport = app.Services.GetRequiredService<SessionTransport>();
        var corpus = Lines(SessionId.New(), SessionId.New());
        foreach (var header in corpus) Check(header);
        Corpus.Corpus.Mutations(corpus, [.. "sid=;\" \t%.:$AGO_-\r\n\0"u8, 0x80, 0xA0, 0xE2, 0xFF]).Sample(Check, iter: 20_000);

        void Check(byte[] header)
        {
            foreach (var text in (string[])[Encoding.Latin1.GetString(header), Encoding.UTF8.GetString(header)])
            {
                var context = new DefaultHttpContext();
                context.Request.Headers.Cookie = text;
                Assert.Equal((text, Model(text)), (text, transport.Read(context.Request).Id));
            }
        }
    }

    [Fact]
    [Trait("Security", "A41")]
    [Trait("Security", "K3")]
    [Trait("Security", "K8")]
    [Trait("Security", "K9")]
    [Trait("Security", "V23")]
    public async Task Over_HTTP_every_line_of_the_corpus_is_answered_as_the_model_says_or_refused_by_the_server()
    {
        await using var app = await StartAsync();
        var (ada, grace) = (await BeginAsync(app, "ada"), await BeginAsync(app, "grace"));
        foreach (var header in Lines(ada, grace))
        {
            _store.ResetCounts();
            var (status, body) = await AskAsync(app, header);
            var expected = Model(Encoding.UTF8.GetString(header)) is { } id ? id == ada ? "ada" : "grace" : "nobody";
            Assert.True(
                (status == "HTTP/1.1 200 OK" && body == expected) || status is "HTTP/1.1 400 Bad Request" or "HTTP/1.1 431 Request Header Fields Too Large" or "",
                $"{Encoding.Latin1.GetString(header)}: {status} {body}, expected {expected}");
            Assert.Equal(body is "ada" or "grace" ? 1 : 0, _store.Calls);
        }
    }

    /// <summary>The corpus, with tokens of two sessions where it says so.</summary>
    private static byte[][] Lines(string id, string other) => [.. Corpus.Corpus.Read("cookies.txt").Select(line => Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(line)
        .Replace("GOOD", Sign(id), StringComparison.Ordinal)
        .Replace("OTHER", Sign(other), StringComparison.Ordinal)
        .Replace("ID", id, StringComparison.Ordinal)))];

    private static string Sign(string id) => Uri.EscapeDataString($"s:{id}.{Signature(Encoding.UTF8.GetBytes(id))}");

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

        var token = Encoded().Replace(unquoted, match => ((char)Convert.ToByte(match.Groups[1].Value, 16)).ToString());
        var parts = SignedId().Match(token);
        var id = Encoding.Latin1.GetBytes(parts.Groups[1].Value);
        return parts.Success && parts.Groups[2].Value == Signature(id) ? Encoding.UTF8.GetString(id) : null;
    }

    [GeneratedRegex(@"(?:\A|;)[ \t]*sid=(?<value>[^;]*?)[ \t]*(?=;|\z)")]
    private static partial Regex Cookie();

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

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
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
        _store);
}
