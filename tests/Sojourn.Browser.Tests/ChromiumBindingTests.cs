using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using Sojourn.Administration;
using Sojourn.Events;

namespace Sojourn.Browser.Tests;

/// <summary>Device Bound Session Credentials by Chromium itself, which keeps the key in software here: what a TPM would do is its own affair.</summary>
public sealed class ChromiumBindingTests : IAsyncLifetime
{
    private readonly Refreshes _refreshes = new();
    private readonly ShiftedTime _time = new();
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private WebApplication? _app;
    private X509Certificate2? _certificate;
    private int _port;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IServiceProvider Services => _app!.Services;

    private string Address => $"https://shop.binding.test:{_port}";

    public async ValueTask InitializeAsync()
    {
        _certificate = NewCertificate();
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync",
                "--enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
                "--host-resolver-rules=MAP *.test 127.0.0.1",

                // A browser that is told to ignore all errors of certificates binds nothing.
                $"--ignore-certificate-errors-spki-list={Convert.ToBase64String(SHA256.HashData(_certificate.PublicKey.ExportSubjectPublicKeyInfo()))}",
            ],
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _browser!.DisposeAsync();
        _playwright!.Dispose();
        _refreshes.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _certificate!.Dispose();
    }

    [Fact]
    public async Task N9_V29_Signed_in_lapsed_refreshed_once_for_three_held_requests_copied_in_vain_and_revoked()
    {
        await StartAsync(TimeSpan.FromMinutes(10));
        await using var context = await _browser!.NewContextAsync();
        var page = await SignInAsync(context);
        Assert.Equal(["200 ada", "200 ada", "200 ada"], await FetchAsync(page, "/who", 3));
        Assert.Equal("200 proved", (await FetchAsync(page, "/proved", 1))[0]);
        Assert.Equal(0, _refreshes.Count);

        // As at its end: the browser has it no more.
        await context.ClearCookiesAsync(new() { Name = "__Host-sidb" });
        Assert.Equal(["200 ada", "200 ada", "200 ada"], await FetchAsync(page, "/who", 3));
        Assert.Equal(1, _refreshes.Count);
        Assert.NotNull(await BoundCookieAsync(context));

        // Somebody copies what is in the jar, and uses it when the short-lived cookie has gone.
        var cookies = await context.CookiesAsync();
        await using (var thief = await _browser.NewContextAsync())
        {
            await thief.AddCookiesAsync(cookies.Where(each => each.Name == "__Host-sid").Select(Copy));
            var theirs = await thief.NewPageAsync();
            await theirs.GotoAsync(Address + "/plain");
            Assert.StartsWith("401", (await FetchAsync(theirs, "/who", 1))[0], StringComparison.Ordinal);
            Assert.Equal("200 nobody", (await FetchAsync(theirs, "/who", 1))[0]);
        }

        Assert.Equal("200 ada", (await FetchAsync(page, "/who", 1))[0]);
        await Services.GetRequiredService<ISessionAdministration>().EndAsync(new SessionFilter { Subject = "ada" }, SessionEndReason.ByOperator, Token);
        Assert.Equal("200 nobody", (await FetchAsync(page, "/who", 1))[0]);
        await context.ClearCookiesAsync(new() { Name = "__Host-sidb" });
        Assert.Equal("200 nobody", (await FetchAsync(page, "/who", 1))[0]);

        // It came once more before it believed that the session has ended, and then no more.
        Assert.Equal(3, _refreshes.Count);
        Assert.Equal("200 nobody", (await FetchAsync(page, "/who", 1))[0]);
        Assert.Equal(3, _refreshes.Count);
    }

    [Fact]
    public async Task The_bound_cookie_lapses_by_itself_and_the_next_page_waits_for_a_new_one()
    {
        await StartAsync(TimeSpan.FromSeconds(3));
        await using var context = await _browser!.NewContextAsync();
        var page = await SignInAsync(context);
        while (await BoundCookieAsync(context) is not null)
        {
            await Task.Delay(200, Token);
        }

        var before = _refreshes.Count;
        Assert.Equal(["200 ada", "200 ada", "200 ada"], await FetchAsync(page, "/who", 3));

        // Once for the three; and perhaps ahead of the next end, which is near again.
        Assert.InRange(_refreshes.Count, before + 1, before + 2);
    }

    [Fact]
    public async Task A_link_from_another_site_leads_to_the_users_own_page_though_the_cookie_has_lapsed()
    {
        await StartAsync(TimeSpan.FromMinutes(10));
        await using var context = await _browser!.NewContextAsync();
        var page = await SignInAsync(context);
        await context.ClearCookiesAsync(new() { Name = "__Host-sidb" });
        await page.GotoAsync($"https://elsewhere.test:{_port}/elsewhere");
        var answers = new ConcurrentQueue<int>();
        page.Response += (_, response) => answers.Enqueue(response.Status);
        await page.ClickAsync("a");
        await Assertions.Expect(page.Locator("#who")).ToHaveTextAsync("ada");
        Assert.Equal(Address + "/page", page.Url);

        // Chromium does not refresh for another site's page: the first answer only makes it ask again, as a page of ours.
        Assert.Equal([401, 200], answers);
        Assert.Equal(1, _refreshes.Count);
    }

    [Fact]
    public async Task A_browser_that_has_lost_its_key_comes_back_to_the_sign_in()
    {
        await StartAsync(TimeSpan.FromMinutes(10));
        await using var context = await _browser!.NewContextAsync();
        var page = await SignInAsync(context);
        var session = (await context.CookiesAsync()).Single(each => each.Name == "__Host-sid");
        await using var without = await _browser.NewContextAsync();
        await without.AddCookiesAsync([Copy(session)]);
        var lost = await without.NewPageAsync();
        await lost.GotoAsync(Address + "/page");
        await Assertions.Expect(lost.Locator("#who")).ToHaveTextAsync("nobody");
        Assert.DoesNotContain(await without.CookiesAsync(), each => each.Name == "__Host-sid");
        Assert.Equal("200 ada", (await FetchAsync(page, "/who", 1))[0]);
    }

    /// <summary>By a form and a redirect, as most sites do; then until the browser has bound the session, which takes a moment.</summary>
    private async Task<IPage> SignInAsync(IBrowserContext context)
    {
        var page = await context.NewPageAsync();
        await page.GotoAsync(Address + "/sign-in");
        await page.ClickAsync("button");
        await Assertions.Expect(page.Locator("#who")).ToHaveTextAsync("ada");
        while (await BoundCookieAsync(context) is null)
        {
            await Task.Delay(50, Token);
        }

        // From here on no request can have been under way while the session was bound.
        _time.Ahead = TimeSpan.FromSeconds(11);
        return page;
    }

    private static async Task<string?> BoundCookieAsync(IBrowserContext context) =>
        (await context.CookiesAsync()).FirstOrDefault(each => each.Name == "__Host-sidb")?.Value;

    private static Microsoft.Playwright.Cookie Copy(BrowserContextCookiesResult cookie) => new()
    {
        Name = cookie.Name,
        Value = cookie.Value,
        Domain = cookie.Domain,
        Path = cookie.Path,
        Secure = cookie.Secure,
        HttpOnly = cookie.HttpOnly,
        SameSite = cookie.SameSite,
    };

    private static Task<string[]> FetchAsync(IPage page, string path, int times) => page.EvaluateAsync<string[]>(
        "([path, times]) => Promise.all(Array.from({ length: times }, async () => { const r = await fetch(path); return r.status + ' ' + await r.text(); }))",
        new object[] { path, times });

    private async Task StartAsync(TimeSpan cookieLifetime)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        builder.Logging.ClearProviders();
        _port = ShopServer.FreePort();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, _port, listen => listen.UseHttps(_certificate!)));
        builder.Services.AddSojourn(
            o =>
                (o.Secrets, o.Cookie.Name) = (["the-secret-of-the-browser-tests-only"], "__Host-sid")).WithDeviceBinding(o =>
                    o.CookieLifetime = cookieLifetime);
        builder.Services.AddSingleton<TimeProvider>(_time);
        _app = builder.Build();
        _app.UseSojourn();
        _app.MapGet("/sign-in", () => Page("""<form method="post" action="/sign-in"><button>Sign in</button></form>"""));
        _app.MapPost("/sign-in", async (Session session) =>
        {
            await session.SignInAsync("ada");
            return Results.Redirect("/page", preserveMethod: false);
        });
        _app.MapGet("/page", (Session session) => Page($"""<p id="who">{session.Subject ?? "nobody"}</p>"""));
        _app.MapGet("/elsewhere", () => Page($"""<a href="{Address}/page">to the shop</a>""")).WithoutSession();
        _app.MapGet("/plain", () => Page("plain")).WithoutSession();
        _app.MapGet("/who", (Session session) => session.Subject ?? "nobody");
        _app.MapGet("/proved", () => "proved").RequireDeviceBinding();
        await _app.StartAsync(Token);
        _refreshes.Listen(Services.GetRequiredService<IMeterFactory>());
    }

    private static IResult Page(string body) => Results.Content($"""<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Shop</title>{body}</html>""", "text/html");

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=binding.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("shop.binding.test");
        names.AddDnsName("elsewhere.test");
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }

    /// <summary>The server's clock, which may be put forward.</summary>
    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }

    /// <summary>Counts the refresh requests that one application answered: browsers show them to no page.</summary>
    private sealed class Refreshes : IDisposable
    {
        private readonly MeterListener _listener = new();
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void Listen(IMeterFactory meters)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "sojourn.device_binding.refreshes" && ReferenceEquals(instrument.Meter.Scope, meters))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, _, _, _) => Interlocked.Increment(ref _count));
            _listener.Start();
        }

        public void Dispose() => _listener.Dispose();
    }
}
