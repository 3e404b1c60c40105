using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What a visitor sees of encryption: nothing, unless somebody has been at the database.</summary>
public sealed class EncryptionTests : IDisposable
{
    private readonly MemorySessionStore _store = new();
    private readonly FakeLogCollector _logs = new();
    private readonly DirectoryInfo _ring = Directory.CreateTempSubdirectory("sojourn-ring-");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _ring.Delete(recursive: true);

    [Theory]
    [InlineData("moved")]
    [InlineData("altered")]
    [InlineData("in clear")]
    public async Task V6_V22_A_planted_record_makes_a_stranger_of_its_visitor_and_stays_for_a_person_to_see(string tampering)
    {
        await using var app = await StartAsync(Given);
        using var refused = new MetricCollector<long>(app.Services.GetRequiredService<IMeterFactory>(), "Sojourn", "sojourn.documents.refused");
        using var client = app.NewBareClient();
        var ada = await BeginAsync(client, "ada");
        Assert.Equal("ada", await NameAsync(client, ada));
        var (key, record) = Assert.Single(await _store.PageAsync(null, 10, Token));
        await BeginAsync(client, "grace");
        var other = (await _store.PageAsync(null, 10, Token)).Single(pair => pair.Key != key).Value;
        var planted = tampering switch
        {
            "moved" => other.Document.ToArray(),
            "altered" => [.. record.Document[..^10].ToArray(), (byte)(record.Document.Span[^10] ^ 1), .. record.Document[^9..].ToArray()],
            _ => """{"cookie":{"originalMaxAge":null,"expires":null},"name":"admin"}"""u8.ToArray(),
        };
        await _store.ReplaceAsync(key, record, new SessionRecord(planted, record.ExpiresAt), Token);
        Assert.Equal("nobody", await NameAsync(client, ada));
        Assert.NotEqual(ada, await BeginAsync(client, "ada", ada));
        Assert.Equal(planted, (await _store.ReadAsync(key, Token))!.Document.ToArray());
        Assert.Equal(2, refused.GetMeasurementSnapshot().Count);
        Assert.Contains(
            _logs.GetSnapshot(),
            log =>
                log.Level == LogLevel.Error
                    && log.Message.Contains(key[..8], StringComparison.Ordinal)
                    && log.Message.Contains("does not open", StringComparison.Ordinal));
        Assert.DoesNotContain(
            _logs.GetSnapshot(), log => log.Message.Contains(key, StringComparison.Ordinal) || log.Message.Contains("admin", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AllowPlaintext_is_warned_of_at_start()
    {
        await using var app = await StartAsync(o =>
        {
            Given(o);
            o.AllowPlaintext = true;
        });
        Assert.Contains(_logs.GetSnapshot(), log => log.Level == LogLevel.Warning && log.Message.Contains("AllowPlaintext", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Data_Protections_key_ring_rotates_and_restarts_and_nobody_is_signed_out()
    {
        string ada, grace;
        await using (var app = await StartAsync(o => o.UseDataProtection(), KeptRing))
        {
            using var client = app.NewBareClient();
            ada = await BeginAsync(client, "ada");
            var at = DateTimeOffset.UnixEpoch.AddYears(1);
            app.Services.GetRequiredService<IKeyManager>().CreateNewKey(at, TimeProvider.System.GetUtcNow().AddYears(1));
        }

        await using (var app = await StartAsync(o => o.UseDataProtection(), KeptRing))
        {
            using var client = app.NewBareClient();
            Assert.Equal("ada", await NameAsync(client, ada));
            grace = await BeginAsync(client, "grace");
            Assert.Equal("ada", await NameAsync(client, await BeginAsync(client, "ada", ada)));
        }

        Assert.Equal(2, (await _store.PageAsync(null, 10, Token)).Count);
        Assert.All(await _store.PageAsync(null, 10, Token), record => Assert.StartsWith("""{"$sealed":"CfDJ8""", Encoding.UTF8.GetString(record.Value.Document.Span), StringComparison.Ordinal));
        await using var last = await StartAsync(o => o.UseDataProtection(), KeptRing);
        using var visitor = last.NewBareClient();
        Assert.Equal("grace", await NameAsync(visitor, grace));
    }

    [Fact]
    public async Task Each_day_has_a_key_of_its_own_and_yesterdays_opens()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var app = await StartAsync(
            o => o.UseDataProtection(), KeptRing, time, o => (o.IdleTimeout, o.AbsoluteTimeout) = (TimeSpan.FromDays(9), null));
        using var client = app.NewBareClient();
        var ada = await BeginAsync(client, "ada");
        var yesterday = KeyName(Assert.Single(await _store.PageAsync(null, 10, Token)).Value);
        await BeginAsync(client, "ada", ada);
        Assert.Equal(yesterday, KeyName(Assert.Single(await _store.PageAsync(null, 10, Token)).Value));
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal("ada", await NameAsync(client, ada));
        await BeginAsync(client, "grace", ada);
        Assert.NotEqual(yesterday, KeyName(Assert.Single(await _store.PageAsync(null, 10, Token)).Value));
        Assert.Equal("grace", await NameAsync(client, ada));
    }

    [Fact]
    public async Task What_a_revoked_key_protected_opens_no_more()
    {
        string ada;
        await using (var app = await StartAsync(o => o.UseDataProtection(), KeptRing))
        {
            using var client = app.NewBareClient();
            ada = await BeginAsync(client, "ada");
            app.Services.GetRequiredService<IKeyManager>().RevokeAllKeys(TimeProvider.System.GetUtcNow().AddMinutes(1), "a drill");
        }

        await using var after = await StartAsync(o => o.UseDataProtection(), KeptRing);
        using var visitor = after.NewBareClient();
        Assert.Equal("nobody", await NameAsync(visitor, ada));
    }

    [Fact]
    public async Task A_key_ring_that_cannot_be_read_is_503_and_signs_nobody_out()
    {
        string ada;
        await using (var app = await StartAsync(o => o.UseDataProtection(), KeptRing))
        {
            using var client = app.NewBareClient();
            ada = await BeginAsync(client, "ada");
        }

        var ring = new Flaky(_ring);
        await using var after = await StartAsync(o => o.UseDataProtection(), services =>
            services.AddDataProtection().SetApplicationName("tests").Services.Configure<KeyManagementOptions>(o => o.XmlRepository = ring));
        using var visitor = after.NewBareClient();
        using (var request = new HttpRequestMessage(HttpMethod.Get, "/name") { Headers = { { "Cookie", ada } } })
        using (var answer = await visitor.SendAsync(request, Token))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }

        ring.IsAway = false;
        Assert.Equal("ada", await NameAsync(visitor, ada));
    }

    [Fact]
    public async Task Keys_of_the_applications_own_open_beside_Data_Protections()
    {
        string ada;
        await using (var app = await StartAsync(Given))
        {
            using var client = app.NewBareClient();
            ada = await BeginAsync(client, "ada");
        }

        await using var after = await StartAsync(
            o =>
            {
                Given(o);
                o.UseDataProtection();
            },
            KeptRing);
        using var visitor = after.NewBareClient();
        Assert.Equal("ada", await NameAsync(visitor, ada));
        await BeginAsync(visitor, "grace", ada);
        Assert.StartsWith("CfDJ8", KeyName(Assert.Single(await _store.PageAsync(null, 10, Token)).Value), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Data_Protection_the_application_does_not_start_and_is_told_what_is_missing()
    {
        var problem = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(o => o.UseDataProtection()));
        Assert.Contains("AddDataProtection", problem.Message, StringComparison.Ordinal);
    }

    private static void Given(SessionEncryptionOptions options) =>
        options.Keys.Add(new SessionEncryptionKey { Name = "first", Key = Convert.ToBase64String(new byte[32]) });

    private static string KeyName(SessionRecord record) => Encoding.UTF8.GetString(record.Document.Span)["""{"$sealed":" """.TrimEnd().Length..].Split('.')[0];

    private static async Task<string> BeginAsync(HttpClient client, string name, string? cookie = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/begin/" + name);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }

        using var answer = await client.SendAsync(request, Token);
        return answer.EnsureSuccessStatusCode().Headers.TryGetValues("Set-Cookie", out var set) ? set.Single().Split(';')[0] : cookie!;
    }

    private static async Task<string> NameAsync(HttpClient client, string cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/name") { Headers = { { "Cookie", cookie } } };
        using var answer = await client.SendAsync(request, Token);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
    }

    private void KeptRing(IServiceCollection services) => services.AddDataProtection().SetApplicationName("tests").PersistKeysToFileSystem(_ring);

    private Task<TestApp> StartAsync(
        Action<SessionEncryptionOptions> encryption, Action<IServiceCollection>? services = null, TimeProvider? time = null,
        Action<SojournOptions>? options = null) => TestApp.StartAsync(
        app =>
        {
            app.MapPost("/begin/{name}", (Session session, string name) => session.Set("name", name));
            app.MapGet("/name", (Session session) => session.Get<string>("name") ?? "nobody");
        },
        _store,
        options,
        all =>
        {
            new SojournBuilder(all).WithEncryption(encryption);
            all.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(_logs)));
            services?.Invoke(all);
        },
        time);

    /// <summary>A place of keys that is away until told otherwise.</summary>
    private sealed class Flaky(DirectoryInfo ring) : IXmlRepository
    {
        private readonly FileSystemXmlRepository _inner = new(ring, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);

        public bool IsAway { get; set; } = true;

        public IReadOnlyCollection<XElement> GetAllElements() => IsAway ? throw new IOException("The share is away.") : _inner.GetAllElements();

        public void StoreElement(XElement element, string friendlyName) => _inner.StoreElement(element, friendlyName);
    }
}
