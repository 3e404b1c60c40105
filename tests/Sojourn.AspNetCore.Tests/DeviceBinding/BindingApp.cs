using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>An application over https that binds sessions, with a clock that stands still.</summary>
internal sealed class BindingApp : IAsyncDisposable
{
    private static readonly X509Certificate2 Certificate = NewCertificate();
    private readonly TestApp _app;

    private BindingApp(TestApp app, FakeTimeProvider time, FaultInjectingStore store)
    {
        (_app, Time, Store) = (app, time, store);
        Address = new Uri(
            app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First(
                each => each.StartsWith("https", StringComparison.Ordinal)));
    }

    public Uri Address { get; }

    public FakeTimeProvider Time { get; }

    public FaultInjectingStore Store { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<BindingApp> StartAsync(
        Action<DeviceBindingOptions>? binding = null, Action<WebApplication>? configure = null, Action<IServiceCollection>? services = null,
        Action<SojournOptions>? options = null, bool useSojourn = true)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var store = new FaultInjectingStore(new MemorySessionStore());
        var app = await TestApp.StartAsync(
            app =>
            {
                configure?.Invoke(app);
                app.MapPost("/in/{user}", async (Session session, string user) => await session.SignInAsync(user));
                app.MapPost("/out", async (Session session) => await session.DestroyAsync());
                app.MapPost("/confirm", async (Session session) => await session.ConfirmSignInAsync());
                app.MapPost("/renew", async (Session session) => await session.RenewIdAsync());
                app.MapGet("/who", (Session session) => session.Subject ?? "nobody");
                app.MapGet("/page", (Session session) => Results.Content($"<p>{session.Subject ?? "nobody"}</p>", "text/html"));
                app.MapPost("/count", async (Session session) => Results.Text($"{await session.UpdateAsync<int>("n", n => n + 1)}"));
                app.MapGet("/expires", (Session session) => session.ExpiresAt);
                app.MapGet("/proved", () => "proved").RequireDeviceBinding();
                app.MapGet("/plain", () => "plain").WithoutSession();
                app.MapSojournAccount();
            },
            store,
            options,
            services: all =>
            {
                new SojournBuilder(all).WithDeviceBinding(binding);
                services?.Invoke(all);
            },
            time: time,
            environment: "Production",
            useSojourn: useSojourn,
            kestrelOptions: kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(Certificate)));
        return new BindingApp(app, time, store);
    }

    /// <summary>A client without a jar that trusts the application's certificate and no other.</summary>
    public static HttpClient NewClient() => new(new SocketsHttpHandler
    {
        UseCookies = false,
        AllowAutoRedirect = false,
        SslOptions = new()
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString() == Certificate.GetCertHashString(),
        },
    });

    public BindingBrowser NewBrowser(string algorithm = "ES256", bool binds = true) => new(Address, Time, algorithm) { Binds = binds };

    /// <summary>A browser that has signed in and bound its session, and whose requests of before have all come.</summary>
    public async Task<BindingBrowser> SignInAsync(string user = "ada", string algorithm = "ES256")
    {
        var browser = NewBrowser(algorithm);
        (await browser.PostAsync("/in/" + user)).EnsureSuccessStatusCode();
        Assert.NotNull(browser.Binding);
        Time.Advance(TimeSpan.FromSeconds(11));
        return browser;
    }

    /// <summary>A request of somebody who has the cookies, or makes them up.</summary>
    public async Task<HttpResponseMessage> SendAsync(string path, string cookies, params (string Name, string Value)[] headers)
    {
        using var client = NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Address, path)) { Headers = { { "Cookie", cookies } } };
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }
}

/// <summary>Keeps what it is told.</summary>
internal sealed class HeardEvents : ISessionEventHandler
{
    public System.Collections.Concurrent.ConcurrentQueue<SessionEvent> All { get; } = [];

    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        All.Enqueue(sessionEvent);
        return default;
    }
}
