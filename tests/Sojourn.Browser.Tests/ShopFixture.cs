using Microsoft.Playwright;
using Sojourn.Browser.Tests;

[assembly: AssemblyFixture(typeof(ShopFixture))]

namespace Sojourn.Browser.Tests;

/// <summary>One browser for all tests; each test has a shop of its own, and so a database of its own.</summary>
public sealed class ShopFixture : IAsyncLifetime
{
    private IPlaywright? _playwright;

    public IBrowser Browser { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();

        // Passwords are slow to check on purpose, and the machine may be busy.
        Assertions.SetDefaultExpectTimeout(30_000);
        Browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync",
            ],
        });
    }

    public async ValueTask DisposeAsync()
    {
        await Browser.DisposeAsync();
        _playwright?.Dispose();
    }
}
