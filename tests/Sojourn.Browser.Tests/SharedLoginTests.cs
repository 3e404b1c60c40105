using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

/// <summary>NestJS with express-session and ASP.NET Core with Sojourn behind one origin, as somebody with a browser meets them: as one shop.</summary>
public sealed class SharedLoginTests(ShopFixture fixture, SharedLoginServer shop) : IClassFixture<SharedLoginServer>, IAsyncLifetime
{
    private readonly List<string> _errors = [];
    private IBrowserContext _browser = null!;
    private IPage _page = null!;

    public async ValueTask InitializeAsync()
    {
        _browser = await fixture.Browser.NewContextAsync(new() { BaseURL = shop.Address });
        _page = await _browser.NewPageAsync();
        _page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _errors.Add($"{_page.Url}: {message.Text}");
            }
        };
    }

    public ValueTask DisposeAsync() => _browser.DisposeAsync();

    [Fact]
    public async Task Who_signs_in_on_NestJS_fills_the_cart_on_ASP_NET_Core_by_one_and_the_same_cookie()
    {
        await SignInAsync("Ada");
        await ExpectFromNestAsync();
        var cookie = await CookieAsync();

        await AddAsync("The Tide Tables");

        await ExpectFromAspNetCoreAsync();
        await Expect(_page.GetByRole(AriaRole.Banner)).ToContainTextAsync("Ada");
        await Expect(_page.GetByRole(AriaRole.Listitem)).ToHaveTextAsync("The Tide Tables × 1");
        Assert.Equal(cookie, await CookieAsync());
        await _page.GotoAsync("/");
        await ExpectFromNestAsync();
        await ExpectCountAsync(1);
        Assert.Equal(cookie, await CookieAsync());
    }

    [Fact]
    public async Task The_cart_of_somebody_who_signs_in_later_stays_and_the_old_id_is_dead()
    {
        await AddAsync("Forty Useful Knots");
        await ExpectFromAspNetCoreAsync();
        var before = await CookieAsync();

        await SignInAsync("Bob");

        await ExpectCountAsync(1);
        Assert.NotEqual(before, await CookieAsync());
        await using var thief = await fixture.Browser.NewContextAsync(new() { BaseURL = shop.Address });
        await thief.AddCookiesAsync([new() { Name = "connect.sid", Value = before, Url = shop.Address }]);
        var stolen = await thief.NewPageAsync();
        foreach (var path in (string[])["/", "/cart"])
        {
            await stolen.GotoAsync(path);
            await Expect(stolen.Locator(".count")).ToHaveTextAsync("0");
        }
    }

    [Fact]
    public async Task What_is_set_on_one_side_is_seen_on_the_other()
    {
        const string City = "Český Krumlov & <Brno> 🐎";
        const string Note = "\"Ring twice\", it's the green door </b>";
        await SignInAsync("Ada");
        await KeepAsync("/account", "Deliver to", City);
        await ExpectFromNestAsync();

        await KeepAsync("/cart", "Note for the courier", Note);

        await ExpectFromAspNetCoreAsync();
        await Expect(_page.Locator("output")).ToHaveTextAsync(City);
        await _page.GotoAsync("/account");
        await ExpectFromNestAsync();
        await Expect(_page.Locator("output")).ToHaveTextAsync(Note);
        await Expect(_page.GetByLabel("Deliver to")).ToHaveValueAsync(City);
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task Of_clicks_that_come_at_once_none_is_lost()
    {
        await AddAsync("The Tide Tables");
        var other = await _browser.NewPageAsync();
        await other.GotoAsync("/");
        const string Add = """
            sku => Promise.all(Array.from({ length: 10 }, () =>
                Promise.all([fetch("/cart", { method: "POST", body: new URLSearchParams({ sku }), redirect: "manual" }), fetch("/account")])))
            """;

        await Task.WhenAll(_page.EvaluateAsync<JsonElement>(Add, "tide"), other.EvaluateAsync<JsonElement>(Add, "lamp"));

        await _page.GotoAsync("/cart");
        await Expect(_page.GetByRole(AriaRole.Listitem)).ToHaveTextAsync(["The Tide Tables × 11", "A Lamp for the Pier × 10"]);
        await _page.GotoAsync("/");
        await ExpectCountAsync(21);
    }

    [Theory]
    [InlineData("/account", "/cart")]
    [InlineData("/cart", "/account")]
    public async Task Signing_out_on_one_side_ends_it_on_the_other(string here, string there)
    {
        await SignInAsync("Ada");
        await AddAsync("The Tide Tables");
        var cookie = await CookieAsync();
        var other = await _browser.NewPageAsync();
        await other.GotoAsync(there);
        await Expect(other.GetByRole(AriaRole.Banner)).ToContainTextAsync("Ada");

        await _page.GotoAsync(here);
        await _page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(SignInLink(_page)).ToBeVisibleAsync();

        await other.ReloadAsync();
        await Expect(SignInLink(other)).ToBeVisibleAsync();
        await Expect(other.Locator(".count")).ToHaveTextAsync("0");

        // Nor does the cookie open anything when it is kept.
        await _browser.AddCookiesAsync([new() { Name = "connect.sid", Value = cookie, Url = shop.Address }]);
        foreach (var path in (string[])["/account", "/cart"])
        {
            await _page.GotoAsync(path);
            await Expect(SignInLink(_page)).ToBeVisibleAsync();
        }
    }

    [Fact]
    public async Task A_page_of_another_site_writes_nothing_on_either_side()
    {
        await SignInAsync("Ada");
        await AddAsync("The Tide Tables");
        foreach (var path in (string[])["/cart", "/account", "/sign-out", "/cart/sign-out"])
        {
            var attacker = await _browser.NewPageAsync();
            await attacker.SetContentAsync($"""<form method="post" action="{shop.Address}{path}"><input name="sku" value="lamp"><input name="city" value="Elsewhere"></form>""");
            var answer = await attacker.RunAndWaitForResponseAsync(() => attacker.EvaluateAsync("document.forms[0].submit()"), shop.Address + path);
            Assert.Equal(403, answer.Status);
        }

        await _page.GotoAsync("/account");
        await ExpectCountAsync(1);
        await Expect(_page.GetByLabel("Deliver to")).ToHaveValueAsync("");
    }

    [Theory]
    [InlineData(390)]
    [InlineData(1280)]
    public async Task No_page_complains_or_is_wider_than_the_window(int width)
    {
        await _page.SetViewportSizeAsync(width, 844);
        await SignInAsync("Ada");
        await AddAsync("The Tide Tables");
        foreach (var path in (string[])["/", "/cart", "/account", "/sign-in"])
        {
            await _page.GotoAsync(path);
            Assert.True(await _page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), $"{path} scrolls sideways at {width} pixels");
            if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
            {
                await _page.EmulateMediaAsync(new() { ColorScheme = width == 390 ? ColorScheme.Light : ColorScheme.Dark });
                await _page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"shared{width}{path.Replace('/', '-')}.png"), FullPage = true });
            }
        }

        Assert.Empty(_errors);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task The_sample_ends_what_it_started(string signal)
    {
        await using var own = new SharedLoginServer();
        await own.InitializeAsync();
        Assert.True(own.IsListening());

        await own.StopAsync(signal);

        Assert.False(own.IsListening());
    }

    private async Task SignInAsync(string name)
    {
        await _page.GotoAsync("/sign-in");
        await _page.GetByLabel("Name").FillAsync(name);
        await _page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(_page.GetByText($"Signed in as {name}.")).ToBeVisibleAsync();
    }

    private async Task AddAsync(string title)
    {
        await _page.GotoAsync("/");
        await _page.GetByRole(AriaRole.Listitem).Filter(new() { HasText = title }).GetByRole(AriaRole.Button).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Cart" })).ToBeVisibleAsync();
    }

    private async Task KeepAsync(string path, string label, string value)
    {
        await _page.GotoAsync(path);
        await _page.GetByLabel(label).FillAsync(value);
        await _page.RunAndWaitForResponseAsync(
            () => _page.GetByRole(AriaRole.Button, new() { Name = "Keep" }).ClickAsync(),
            response => response.Request.Method == "GET" && response.Url.EndsWith(path, StringComparison.Ordinal));
        await Expect(_page.GetByLabel(label)).ToHaveValueAsync(value);
    }

    private Task ExpectFromNestAsync() => Expect(_page.GetByRole(AriaRole.Contentinfo)).ToContainTextAsync("NestJS");

    private Task ExpectFromAspNetCoreAsync() => Expect(_page.GetByRole(AriaRole.Contentinfo)).ToContainTextAsync("ASP.NET Core");

    private Task ExpectCountAsync(int count) => Expect(_page.Locator(".count")).ToHaveTextAsync(count.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private async Task<string> CookieAsync() => Assert.Single(await _browser.CookiesAsync(), cookie => cookie.Name == "connect.sid").Value;

    private static ILocator SignInLink(IPage page) => page.GetByRole(AriaRole.Link, new() { Name = "Sign in" });
}
