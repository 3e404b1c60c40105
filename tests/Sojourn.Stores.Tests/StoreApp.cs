using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sojourn.Administration;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests;

/// <summary>A small application on Kestrel over a store, with one visitor: what a visitor sees when a server has a bad day.</summary>
internal sealed class StoreApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StoreApp(WebApplication app)
    {
        _app = app;
        Visitor = NewVisitor(Cookies);
    }

    public CookieContainer Cookies { get; } = new();

    /// <summary>Keeps cookies.</summary>
    public HttpClient Visitor { get; }

    public ISessionStore Store => _app.Services.GetRequiredService<ISessionStore>();

    public SessionManager Sessions => _app.Services.GetRequiredService<SessionManager>();

    public ISessionAdministration Administration => _app.Services.GetRequiredService<ISessionAdministration>();

    /// <param name="use">Chooses the store.</param>
    /// <param name="options">Sojourn's options; calls of the store time out after two seconds unless set here.</param>
    public static async Task<StoreApp> StartAsync(Action<SojournBuilder> use, Action<SojournOptions>? options = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = "Development", ApplicationName = "stores-tests" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRoutingCore();
        builder.Services.AddLogging(logging => logging.ClearProviders());
        use(builder.Services.AddSojourn(o =>
        {
            (o.Secrets, o.StoreTimeout) = (["a secret that only these tests know"], TimeSpan.FromSeconds(2));
            options?.Invoke(o);
        }));
        var app = builder.Build();
        app.UseRouting();
        app.UseSojourn();
        app.MapPost("/count", (Session session) => session.Update<int>("count", static count => count + 1));
        app.MapPost("/text/{length:int}", (Session session, int length) => session.Set("text", RandomNumberGenerator.GetHexString(length)));
        app.MapGet("/text", (Session session) => session.Get<string>("text")?.Length ?? 0);
        app.MapPost("/exclusive", static async (Session session) =>
        {
            // No Update: whatever another request adds between the two lines is lost, unless there can be none.
            var count = session.Get<int>("count");
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
            session.Set("count", count + 1);
        }).WithExclusiveSession();
        app.MapPost("/sign-in/{subject}", async (Session session, string subject) => await session.SignInAsync(subject));
        app.MapDelete("/session", async (Session session) => await session.DestroyAsync());
        app.MapGet("/count", (Session session) => session.Get<int>("count"));
        await app.StartAsync();
        return new StoreApp(app);
    }

    /// <summary>Another visitor, or, with the cookies of one, the same at this application. Loopback cookies do not ask for the port.</summary>
    public HttpClient NewVisitor(CookieContainer? cookies = null) =>
        new(new SocketsHttpHandler { CookieContainer = cookies ?? new CookieContainer() }) { BaseAddress = new Uri(_app.Urls.First()) };

    /// <summary>Lets one visitor add one by exclusive requests at two applications at once: none may be lost.</summary>
    public static async Task AssertExclusiveAsync(StoreApp one, StoreApp other)
    {
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        using var elsewhere = other.NewVisitor(one.Cookies);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async number =>
        {
            using var answer = await (number % 2 == 0 ? one.Visitor : elsewhere).PostAsync(
                new Uri("/exclusive", UriKind.Relative), null, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }));
        Assert.Equal(21, await one.ReadAsync());
    }

    /// <summary>Adds one, and tells what the visitor was told.</summary>
    public async Task<HttpStatusCode> CountAsync()
    {
        using var answer = await Visitor.PostAsync(new Uri("/count", UriKind.Relative), null, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    /// <summary>Sets a text of that length that does not compress to much less.</summary>
    public async Task<HttpStatusCode> SetTextAsync(int length)
    {
        using var answer = await Visitor.PostAsync(new Uri($"/text/{length}", UriKind.Relative), null, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    /// <summary>
    /// Adds one again and again until that succeeds: the server is back, and nobody restarted the application. Some drivers look for themselves once a minute.
    /// </summary>
    public async Task RecoveredAsync()
    {
        for (var attempt = 0; await CountAsync() != HttpStatusCode.OK; attempt++)
        {
            Assert.True(attempt < 1_200, "The application did not find its store again.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public Task<int> ReadAsync() => Visitor.GetFromJsonAsync<int>("/count", TestContext.Current.CancellationToken);

    public Task<int> ReadTextLengthAsync() => Visitor.GetFromJsonAsync<int>("/text", TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Visitor.Dispose();
        await _app.DisposeAsync();
    }
}
