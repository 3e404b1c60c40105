using System.Buffers.Text;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Sojourn.AspNetCore.Transport;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests.Security;

/// <summary>Ids: random, meaningless, seen by their visitor alone, and not to be had from the store.</summary>
public sealed class IdentifierTests
{
    private readonly MemorySessionStore _store = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A5_A6_A31_O2_N5_Ids_are_256_random_bits_and_none_comes_twice()
    {
        const int Count = 100_000;
        var seen = new HashSet<string>(Count, StringComparer.Ordinal);
        var ones = new int[SessionId.Bytes * 8];
        for (var i = 0; i < Count; i++)
        {
            var id = SessionId.New();
            Assert.True(seen.Add(id));
            var bytes = Base64Url.DecodeFromChars(id);
            Assert.Equal(32, bytes.Length);
            for (var bit = 0; bit < ones.Length; bit++)
            {
                ones[bit] += (bytes[bit / 8] >> (bit % 8)) & 1;
            }
        }

        // Seven standard deviations, for each bit: a fair coin misses them once in a billion runs.
        var allowed = 7 * Math.Sqrt(Count) / 2;
        Assert.All(ones, count => Assert.InRange(count, (Count / 2) - allowed, (Count / 2) + allowed));
    }

    [Fact]
    public async Task A23_A35_A39_O3_O10_V31_The_token_is_in_Set_Cookie_alone_and_says_nothing()
    {
        var logs = new FakeLogCollector();
        await using var app = await StartAsync(
            services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new FakeLoggerProvider(logs))));
        using var client = app.NewBareClient();
        foreach (var path in new[] { "/begin/ada", "/begin/ada-again", "/renew" })
        {
            using var answer = await client.GetAsync(path, Token);
            var value = Value(answer);
            var id = Id(value);
            var key = Assert.Single(await _store.PageAsync(null, 10, Token)).Key;
            var elsewhere = await answer.Content.ReadAsStringAsync(Token) + string.Join(
                '\n', answer.Headers.Where(header => header.Key != "Set-Cookie").Concat(answer.Content.Headers).SelectMany(header => header.Value));
            foreach (var secret in new[] { id, key, value })
            {
                Assert.DoesNotContain(secret, elsewhere, StringComparison.Ordinal);
                Assert.DoesNotContain(
                    logs.GetSnapshot(),
                    log => log.Message.Contains(secret, StringComparison.Ordinal) && !log.Category!.StartsWith("Microsoft.", StringComparison.Ordinal));
            }

            // 32 random bytes, whoever the visitor is and whatever was kept for them.
            Assert.Equal(32, Base64Url.DecodeFromChars(id).Length);
            Assert.Equal($"s:{id}.", Uri.UnescapeDataString(value)[..^43]);
            await _store.DeleteAsync(key, null, Token);
        }

        Assert.NotEmpty(logs.GetSnapshot());
    }

    [Fact]
    public async Task O4_V4_V7_V18_Whoever_has_the_store_cannot_sign_in_with_what_is_in_it()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        using var begun = await client.GetAsync("/begin/ada", Token);
        var (key, record) = Assert.Single(await _store.PageAsync(null, 10, Token));
        var id = Id(Value(begun));
        Assert.NotEqual(id, key);
        Assert.DoesNotContain(id, Encoding.UTF8.GetString(record.Document.Span), StringComparison.Ordinal);

        // Not even if the thief had the secret, too: the id cannot be had from the key.
        var signed = SessionToken.Encode(app.Services.GetRequiredService<SessionToken>().Write(key));
        foreach (var cookie in new[] { key, "s:" + key, "s%3A" + key, signed })
        {
            Assert.Equal("nobody", await NameAsync(client, "sid=" + cookie));
        }

        Assert.Equal("ada", await NameAsync(client, "sid=" + Value(begun)));
    }

    [Fact]
    public async Task O11_A_well_formed_unknown_id_is_never_adopted()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var unknown = SessionToken.Encode(app.Services.GetRequiredService<SessionToken>().Write(SessionId.New()));
        Assert.Equal("nobody", await NameAsync(client, "sid=" + unknown));
        Assert.Equal(0, await _store.CountAsync(Token));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/begin/ada") { Headers = { { "Cookie", "sid=" + unknown } } };
        using var answer = await client.SendAsync(request, Token);
        Assert.NotEqual(unknown, Value(answer));
        Assert.Equal("nobody", await NameAsync(client, "sid=" + unknown));
    }

    [Theory]
    [InlineData("/name?sid={0}")]
    [InlineData("/name;sid={0}")]
    [InlineData("/name?jsessionid={0}&session={0}")]
    [InlineData("/name#sid={0}")]
    public async Task A32_O5_An_id_in_the_URL_or_the_body_is_nobody(string url)
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        using var begun = await client.GetAsync("/begin/ada", Token);
        var address = string.Format(System.Globalization.CultureInfo.InvariantCulture, url, Value(begun));
        using var request = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Content = new FormUrlEncodedContent([new("sid", Value(begun)), new("token", Value(begun))]),
        };
        using var answer = await client.SendAsync(request, Token);
        var body = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(body == "nobody" || answer.StatusCode == System.Net.HttpStatusCode.NotFound, body);
    }

    private static string Value(HttpResponseMessage answer) => answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0]["sid=".Length..];

    private static string Id(string value) => Uri.UnescapeDataString(value)["s:".Length..].Split('.')[0];

    private static async Task<string> NameAsync(HttpClient client, string cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/name") { Headers = { { "Cookie", cookie } } };
        using var answer = await client.SendAsync(request, Token);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
    }

    private Task<TestApp> StartAsync(Action<IServiceCollection>? services = null) => TestApp.StartAsync(
        app =>
        {
            app.MapGet("/begin/{name}", (Session session, string name) =>
            {
                session.Set("name", name);
                return $"Welcome, {name}. This session is called {session.Handle}.";
            });
            app.MapMethods("/name", ["GET", "POST"], (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet("/renew", async (Session session) =>
            {
                session.Set("name", "grace");
                await session.SaveAsync();
                await session.RenewIdAsync();
            });
        },
        _store,
        services: services);
}
