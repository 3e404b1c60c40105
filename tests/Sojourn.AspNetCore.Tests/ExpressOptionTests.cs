using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What a team that comes from express-session sets counts, or is refused at the start.</summary>
public sealed class ExpressOptionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("SameSite", "Strict")]
    [InlineData("MaxAge", "01:00:00")]
    [InlineData("Path", "/shop")]
    [InlineData("HttpOnly", "false")]
    public async Task Cookie_attributes_that_are_not_express_sessions_own_are_refused(string name, string value)
    {
        await using var app = Build(_ => { }, new() { ["Sojourn:Cookie:" + name] = value });
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync(Token));
        Assert.Contains("ExpressSessionOptions.Cookie", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_to_live_that_the_npm_layout_has_itself_is_refused()
    {
        await using var app = Build(options => options.TimeToLive = TimeSpan.FromDays(7), [], builder => builder.UseStore(_ => new NodeLayoutStore()));
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync(Token));
        Assert.Contains("ExpressSessionOptions.TimeToLive", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300)]
    public async Task An_id_that_can_never_come_back_is_not_sent(int length)
    {
        await using var app = Build(options => options.GenId = _ => new string('x', length), []);
        await app.StartAsync(Token);
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        using var answer = await client.GetAsync("/", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    private static WebApplication Build(
        Action<ExpressSessionOptions> options, Dictionary<string, string?> configuration, Action<SojournBuilder>? use = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = "tests" });
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(configuration);
        builder.Services.AddRoutingCore().AddLogging();
        var sojourn = builder.Services.AddExpressSession(o =>
        {
            o.Secret = "a secret";
            options(o);
        });
        use?.Invoke(sojourn);
        var app = builder.Build();
        app.UseRouting();
        app.UseSojourn();
        app.MapGet("/", (Session session) => session.Set("count", 1));
        return app;
    }

    private sealed class NodeLayoutStore : ISessionStore, INodeLayout
    {
        private readonly MemorySessionStore _inner = new();

        public TimeSpan TimeToLive => TimeSpan.FromDays(1);

        public bool CanTouch => true;

        public SessionVersion VersionOf(SessionRecord record) => record.Version;

        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => _inner.ReadAsync(key, cancellationToken);

        public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken) =>
            _inner.CreateAsync(key, record, cancellationToken);

        public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
            _inner.ReplaceAsync(key, current, next, cancellationToken);

        public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
            _inner.TouchAsync(key, current, expiresAt, cancellationToken);

        public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
            _inner.DeleteAsync(key, current, cancellationToken);
    }
}
