using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

/// <summary>
/// The operator's page in a browser, over 100,000 sessions: every page and action, light, dark, on a phone, by keyboard, without script, and as axe-core sees
/// it.
/// </summary>
public sealed class DashboardPagesTests(ShopFixture browsers, DashboardFixture app) : IClassFixture<DashboardFixture>, IAsyncLifetime
{
    private readonly List<string> _errors = [];
    private readonly List<IBrowserContext> _contexts = [];

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        foreach (var context in _contexts)
        {
            await context.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("desktop", ColorScheme.Light, 1280, 900)]
    [InlineData("desktop", ColorScheme.Dark, 1280, 900)]
    [InlineData("phone", ColorScheme.Light, 375, 780)]
    public async Task Every_page_is_without_barriers_fits_and_breaks_no_rule_of_its_policy(string device, ColorScheme colours, int width, int height)
    {
        var page = await OpenAsync(new() { ColorScheme = colours, ViewportSize = new() { Width = width, Height = height }, HasTouch = device == "phone" });
        var mine = await SessionAsync("looked-at");
        var name = $"{device}-{colours.ToString().ToLowerInvariant()}";
        string[] paths =
        [
            "", "?range=24h", "/list", "/list?size=200&device=firefox&age=gt1h", "/list?seen=gt7d", "/list?find=user-00007", "/list?find=nobody",
            $"/one/{mine}", "/one/gone", $"/one/{mine}/end",
            "/subject/end?subject=user-00007", "/health", "/list?after=broken", "/of/admin", "/of/admin/list",
        ];
        foreach (var path in paths)
        {
            await page.GotoAsync("/sessions" + path);
            await LookAsync(page, name, path);
        }

        await page.GotoAsync("/sessions");
        foreach (var numbers in await page.Locator("summary").AllAsync())
        {
            await numbers.ClickAsync();
        }

        await LookAsync(page, name, "/numbers");
        await page.GotoAsync($"/sessions/one/{mine}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show values" }).ClickAsync();
        await Expect(page.Locator("pre").First).ToContainTextAsync("looked-at");
        await LookAsync(page, name, "/values");
        await page.GotoAsync($"/sessions/one/{mine}/end");
        await page.GetByRole(AriaRole.Button, new() { Name = "End it" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The session has ended" })).ToBeVisibleAsync();
        await LookAsync(page, name, "/ended");

        // A browser reports the pages that are not there as errors; anything else would be ours.
        Assert.DoesNotContain(_errors, error => !error.Contains("Failed to load resource: the server responded with a status of 4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_overview_knows_100_000_sessions_and_moves_by_itself()
    {
        var page = await OpenAsync();
        await page.GotoAsync("/sessions");
        await Expect(page.Locator("#live-state")).ToHaveTextAsync("Live, every 5 seconds");
        Assert.InRange(await NumberAsync(page, "Alive"), DashboardFixture.Sessions, DashboardFixture.Sessions + 100);
        Assert.InRange(await NumberAsync(page, "Signed in"), 50_000, 70_000);
        await Expect(page.GetByText("is estimated from 500 sessions taken at random")).ToBeVisibleAsync();

        await page.Locator("#created-ended-numbers summary").ClickAsync();
        await page.Locator("h1").ClickAsync();
        await SessionAsync("newcomer");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "newcomer" }).First).ToBeVisibleAsync();
        await Expect(page.Locator("#created-ended-numbers")).ToHaveAttributeAsync("open", "");

        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await Expect(page.Locator("#live-state")).ToHaveTextAsync("Paused");
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Expect(page.Locator("#live-state")).ToHaveTextAsync("Live, every 5 seconds");
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task Sessions_are_paged_filtered_found_looked_at_and_ended()
    {
        var page = await OpenAsync();
        await page.GotoAsync("/sessions/list");
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(50);
        var first = await page.Locator("tbody a.handle").First.TextContentAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Next page" }).ClickAsync();
        await Expect(page.Locator("tbody a.handle").First).Not.ToHaveTextAsync(first!);
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(50);
        await page.GetByLabel("Device has").FillAsync("iPhone");
        await page.GetByLabel("Page of", new() { Exact = true }).SelectOptionAsync("1000");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();
        await Expect(page.Locator("#counted")).ToContainTextAsync("of the 1,000 sessions of this page, by the filter");
        Assert.All(await page.Locator("tbody td.device").AllTextContentsAsync(), agent => Assert.Contains("iPhone", agent, StringComparison.Ordinal));
        await page.GetByRole(AriaRole.Link, new() { Name = "First page" }).ClickAsync();
        await Expect(page.GetByLabel("Device has")).ToHaveValueAsync("iPhone");

        var (phone, laptop) = (await SessionAsync("many-devices"), await SessionAsync("many-devices"));
        await page.GetByLabel("Subject or handle").FillAsync("many-devices");
        await page.GetByRole(AriaRole.Button, new() { Name = "Find" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "2 sessions found for many-devices" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = phone }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = phone })).ToBeVisibleAsync();
        await Expect(page.Locator("#history ~ .history")).ToContainTextAsync("signed in");
        await page.GetByRole(AriaRole.Link, new() { Name = "End this session…" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Leave it alone" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "End this session…" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "End it" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "What is known of it" }).ClickAsync();
        await Expect(page.GetByText("ended: by an operator")).ToBeVisibleAsync();

        await SessionAsync("many-devices");
        await page.GotoAsync($"/sessions/one/{laptop}");
        await page.GetByRole(AriaRole.Link, new() { Name = "End all of many-devices…" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "End all of them" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "2 sessions have ended" })).ToBeVisibleAsync();
        await page.GotoAsync("/sessions/list?find=many-devices");
        await Expect(page.GetByText("Nothing found for many-devices")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task All_of_it_works_without_script()
    {
        var handle = await SessionAsync("without-script");
        var page = await OpenAsync(new() { JavaScriptEnabled = false });
        await page.GotoAsync("/sessions");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeVisibleAsync();
        await Expect(page.Locator("#live-state")).ToBeHiddenAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "1 hour" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The last 1 hour" })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Sessions", Exact = true }).ClickAsync();
        await page.GetByLabel("Subject or handle").FillAsync(handle);
        await page.GetByRole(AriaRole.Button, new() { Name = "Find" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = handle }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show values" }).ClickAsync();
        await Expect(page.Locator("pre").First).ToContainTextAsync("without-script");
        await page.GetByRole(AriaRole.Link, new() { Name = "End this session…" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "End it" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "The session has ended" })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_session_is_found_and_ended_by_the_keyboard_alone()
    {
        var handle = await SessionAsync("keyboard");
        var page = await OpenAsync();
        await page.GotoAsync("/sessions/list");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Skip to the content" })).ToBeInViewportAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.GetByLabel("Subject or handle")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync(handle);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "One session found" })).ToBeVisibleAsync();
        await TabToAsync(handle, $"Session {handle}");
        await TabToAsync("End this session…", "End this session?");
        await TabToAsync("End it", "The session has ended");

        async Task TabToAsync(string name, string heading)
        {
            for (var i = 0; i < 40; i++)
            {
                await page.Keyboard.PressAsync("Tab");
                if ((await page.EvaluateAsync<string>("() => document.activeElement.textContent")).Trim() == name)
                {
                    Assert.NotEqual("none", await page.EvaluateAsync<string>("() => getComputedStyle(document.activeElement).outlineStyle"));
                    await page.Keyboard.PressAsync("Enter");
                    await Expect(page.GetByRole(AriaRole.Heading, new() { Name = heading })).ToBeVisibleAsync();
                    return;
                }
            }

            Assert.Fail($"Tab never reached {name}.");
        }
    }

    /// <summary>The pictures of docs/dashboard.md, made where <c>SOJOURN_SCREENSHOTS</c> says.</summary>
    [Fact]
    public async Task Pages_are_pictured_for_the_documentation()
    {
        var folder = Environment.GetEnvironmentVariable("SOJOURN_SCREENSHOTS");
        var handle = await SessionAsync("ada");
        foreach (var (name, path, colours, width, height) in new[]
        {
            ("overview", "/sessions", ColorScheme.Light, 1120, 860),
            ("overview-dark", "/sessions", ColorScheme.Dark, 1120, 860),
            ("sessions-phone", "/sessions/list", ColorScheme.Light, 390, 780),
            ("session", $"/sessions/one/{handle}", ColorScheme.Light, 1120, 760),
            ("health", "/sessions/health", ColorScheme.Dark, 1120, 760),
        })
        {
            var page = await OpenAsync(new() { ColorScheme = colours, ViewportSize = new() { Width = width, Height = height } });
            await page.GotoAsync(path);
            var picture = await page.ScreenshotAsync(new() { Path = folder is null ? null : Path.Combine(folder, $"dashboard-{name}.png") });
            Assert.True(picture.Length > 10_000, $"{name} is empty.");
        }
    }

    private static async Task<long> NumberAsync(IPage page, string tile)
    {
        var text = await page.Locator(".tiles > div").Filter(
            new() { Has = page.Locator("dt", new() { HasTextRegex = new Regex($"^{tile}$") }) }).Locator("dd").InnerTextAsync();
        return long.Parse(Regex.Match(text, @"[\d,]+").Value.Replace(",", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task<IPage> OpenAsync(BrowserNewContextOptions? options = null)
    {
        options ??= new();
        options.BaseURL = app.Address;
        var context = await browsers.Browser.NewContextAsync(options);
        _contexts.Add(context);
        Assert.True((await context.APIRequest.PostAsync("/in/olga")).Ok);
        var page = await context.NewPageAsync();
        page.CollectErrors(_errors);
        return page;
    }

    private async Task<string> SessionAsync(string subject)
    {
        var session = app.Manager.Create();
        session.Set("name", subject);
        session.Set("cart", new[] { new { sku = "mug", count = 2 }, new { sku = "map", count = 1 } });
        session.Set("recent", new[] { "mug", "map", "tent" });
        await session.SignInAsync(
            subject,
            new SessionSignIn
            {
                Device = new SessionDevice { Agent = "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0", Network = "203.0.113.0/24" },
            });
        return session.Handle!;
    }

    private static async Task LookAsync(IPage page, string name, string path)
    {
        var found = await AxeCore.FindAsync(page);
        Assert.True(found.Count == 0, $"{name} {path}:\n{string.Join('\n', found)}");
        Assert.True(
            await page.EvaluateAsync<bool>(
                "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"), $"{name} {path} is wider than the window.");
    }
}
