using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>A small application on Kestrel, on a port of its own.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    public const string Secret = "a secret that only these tests know";

    private static readonly ConditionalWeakTable<HttpClient, CookieContainer> Jars = [];

    private readonly WebApplication _app;

    private TestApp(WebApplication app)
    {
        _app = app;
        Address = new Uri(app.Urls.First());
    }

    public Uri Address { get; }

    public IServiceProvider Services => _app.Services;

    /// <param name="configure">Routes and middleware; UseSojourn is called before it unless <paramref name="useSojourn"/> says otherwise.</param>
    /// <param name="store">The store; memory by default.</param>
    /// <param name="options">Sojourn's options.</param>
    /// <param name="services">Further services.</param>
    /// <param name="time">The clock.</param>
    /// <param name="useSojourn">Whether UseSojourn is called before <paramref name="configure"/>.</param>
    /// <param name="useRouting">Whether UseRouting is called first of all.</param>
    /// <param name="environment">Development by default: plain http.</param>
    /// <param name="protocols">HTTP/1.1 by default; HTTP/2 alone means that clients begin with it without asking.</param>
    /// <param name="kestrelOptions">Further options of the server.</param>
    /// <param name="configuration">Configuration, by key.</param>
    public static async Task<TestApp> StartAsync(
        Action<WebApplication> configure,
        ISessionStore? store = null,
        Action<SojournOptions>? options = null,
        Action<IServiceCollection>? services = null,
        TimeProvider? time = null,
        bool useSojourn = true,
        bool useRouting = true,
        string environment = "Development",
        HttpProtocols protocols = HttpProtocols.Http1,
        Action<KestrelServerOptions>? kestrelOptions = null,
        IReadOnlyDictionary<string, string?>? configuration = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { EnvironmentName = environment, ApplicationName = typeof(TestApp).Assembly.GetName().Name });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocols);
            kestrelOptions?.Invoke(kestrel);
        });
        if (configuration is not null)
        {
            builder.Configuration.AddInMemoryCollection(configuration);
        }

        builder.Services.AddRoutingCore();
        builder.Services.AddLogging(logging => logging.ClearProviders());
        if (time is not null)
        {
            builder.Services.Replace(ServiceDescriptor.Singleton(time));
        }

        var sojourn = builder.Services.AddSojourn(o =>
        {
            o.Secrets = [Secret];
            options?.Invoke(o);
        });
        if (store is not null)
        {
            sojourn.UseStore(_ => store);
        }

        services?.Invoke(builder.Services);
        var app = builder.Build();
        if (useRouting)
        {
            app.UseRouting();
        }

        if (useSojourn)
        {
            app.UseSojourn();
        }

        configure(app);
        await app.StartAsync();
        return new TestApp(app);
    }

    /// <summary>A client with a cookie jar of its own; redirects are not followed unless asked for.</summary>
    public HttpClient NewClient(bool followRedirects = false)
    {
        var cookies = new CookieContainer();
        var client = new HttpClient(new SocketsHttpHandler { CookieContainer = cookies, AllowAutoRedirect = followRedirects }) { BaseAddress = Address };
        Jars.Add(client, cookies);
        return client;
    }

    /// <summary>The cookie jar of a client that <see cref="NewClient"/> made.</summary>
    public static CookieContainer CookiesOf(HttpClient client) =>
        Jars.TryGetValue(client, out var cookies) ? cookies : throw new ArgumentException("The client has no jar.", nameof(client));

    /// <summary>A client that sends only what the test says.</summary>
    public HttpClient NewBareClient() => new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = Address };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
