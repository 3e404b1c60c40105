using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

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

    public static TheoryData<string, Action<ExpressSessionOptions>> Wrong => new()
    {
        { "Name must", o => o.Name = "my session" },
        { "TimeToLive must", o => o.TimeToLive = TimeSpan.FromDays(500) },
        { "Unset must", o => o.Unset = (UnsetBehavior)7 },
        { "Cookie.MaxAge must", o => o.Cookie.MaxAge = TimeSpan.MaxValue },
        { "Cookie.MaxAge must", o => o.Cookie.MaxAge = TimeSpan.MinValue },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task What_is_wrong_is_refused_at_the_start_by_the_name_that_it_was_set_by(string message, Action<ExpressSessionOptions> set)
    {
        await using var app = Build(set, []);
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync(Token));
        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>express-session takes a cookie that has ended for what it is: a way to take it off the browser.</summary>
    [Fact]
    public async Task A_cookie_may_have_ended()
    {
        await using var app = Build(o => o.Cookie.MaxAge = TimeSpan.FromHours(-1), []);
        await app.StartAsync(Token);
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
        Action<ExpressSessionOptions> options, Dictionary<string, string?> configuration)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = "tests" });
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Configuration.AddInMemoryCollection(configuration);
        builder.Services.AddRoutingCore().AddLogging();
        builder.Services.AddExpressSession(o =>
        {
            o.Secret = "a secret";
            options(o);
        });
        var app = builder.Build();
        app.UseRouting();
        app.UseSojourn();
        app.MapGet("/", (Session session) => session.Set("count", 1));
        return app;
    }
}
