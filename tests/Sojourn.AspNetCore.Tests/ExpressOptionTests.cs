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
