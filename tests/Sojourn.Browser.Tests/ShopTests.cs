using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

/// <summary>The shop, as somebody with a browser meets it.</summary>
public sealed class ShopTests(ShopFixture fixture) : IAsyncLifetime
{
    private static readonly string[] Paths =
    [
        "/", "/products/mug", "/cart", "/sign-in", "/preferences", "/session", "/checkout", "/checkout/delivery", "/checkout/review", "/order",
    ];

    private readonly ShopServer _shop = new();
    private readonly List<string> _errors = [];
    private IBrowserContext _browser = null!;
    private IPage _page = null!;

    public async ValueTask InitializeAsync()
    {
        await _shop.StartAsync();
        _browser = await fixture.Browser.NewContextAsync(new() { BaseURL = _shop.Address });
        _page = await NewTabAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _shop.DisposeAsync();
    }

    [Fact]
    public async Task Signing_in_changes_the_cookie_keeps_the_cart_and_kills_the_old_id()
    {
        await AddAsync(_page, "mug");
        var before = await CookieAsync();

        await SignInAsync();

        Assert.NotEqual(before, await CookieAsync());
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "1");
        await using var thief = await fixture.Browser.NewContextAsync(new() { BaseURL = _shop.Address });
        await thief.AddCookiesAsync([new() { Name = "sid", Value = before!, Url = _shop.Address }]);
        var stolen = await thief.NewPageAsync();
        await stolen.GotoAsync("/session");
        await Expect(stolen.GetByText("The server remembers nothing about you")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Two_tabs_that_add_at_once_lose_nothing()
    {
        await AddAsync(_page, "mug");
        var other = await NewTabAsync();
        await other.GotoAsync("/products/map");
        const string Add = """
            slug => Promise.all(Array.from({ length: 10 }, () =>
                fetch("/cart?handler=Add", { method: "POST", body: new URLSearchParams({ slug }), redirect: "manual" })))
            """;

        await Task.WhenAll(_page.EvaluateAsync(Add, "mug"), other.EvaluateAsync(Add, "map"));

        await _page.GotoAsync("/cart");
        await Expect(_page.GetByLabel("Quantity of Enamel mug").First).ToHaveValueAsync("11");
        await Expect(_page.GetByLabel("Quantity of Paper map").First).ToHaveValueAsync("10");
    }

    [Fact]
    public async Task A_killed_server_that_comes_back_remembers_everything()
    {
        await AddAsync(_page, "mug");
        await SignInAsync();
        await PreferAsync("dark", "CZK");
        await _page.GotoAsync("/checkout");
        await TypeAsync("Name", "Alice Doe", "name");
        await TypeAsync("City", "Brno", "city");

        await _shop.KillAsync();
        await _shop.StartAsync();

        await _page.GotoAsync("/checkout");
        await Expect(_page.GetByLabel("Name")).ToHaveValueAsync("Alice Doe");
        await Expect(_page.GetByLabel("City")).ToHaveValueAsync("Brno");
        await Expect(_page.GetByLabel("Street and number")).ToHaveValueAsync("");
        await Expect(_page.GetByRole(AriaRole.Banner)).ToContainTextAsync("alice");
        await Expect(_page.Locator("html")).ToHaveAttributeAsync("data-theme", "dark");
        await _page.GotoAsync("/cart");
        await Expect(_page.Locator(".total")).ToContainTextAsync("362 Kč");
    }

    [Fact]
    public async Task An_order_goes_from_the_cart_to_its_number()
    {
        await AddAsync(_page, "mug");
        await _page.GotoAsync("/cart");
        await _page.GetByRole(AriaRole.Link, new() { Name = "Check out" }).ClickAsync();
        foreach (var (label, value) in new[] { ("Name", "Bob"), ("Street and number", "Long 1"), ("City", "Brno"), ("Postcode", "60200") })
        {
            await _page.GetByLabel(label).FillAsync(value);
        }

        await _page.GetByRole(AriaRole.Button, new() { Name = "Go on to delivery" }).ClickAsync();
        await _page.GetByLabel("Bicycle courier").CheckAsync();
        await _page.GetByRole(AriaRole.Button, new() { Name = "Go on to review" }).ClickAsync();
        await Expect(_page.Locator(".total")).ToContainTextAsync("€23.50");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Place the order" }).ClickAsync();

        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Order" })).ToBeVisibleAsync();
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "0");
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task Signing_out_in_one_tab_ends_the_other()
    {
        await SignInAsync();
        var other = await NewTabAsync();
        await other.GotoAsync("/");
        await Expect(other.GetByRole(AriaRole.Banner)).ToContainTextAsync("alice");

        await _page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(SignInLink(_page)).ToBeVisibleAsync();

        await other.ReloadAsync();
        await Expect(SignInLink(other)).ToBeVisibleAsync();
        Assert.Null(await CookieAsync());
    }

    [Fact]
    public async Task A_notice_appears_once()
    {
        await AddAsync(_page, "mug");
        await Expect(_page.Locator(".notice")).ToHaveTextAsync("Enamel mug is in your cart.");

        await _page.GotoAsync("/products/mug");

        await Expect(_page.Locator(".notice")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Theme_and_currency_stick()
    {
        await PreferAsync("dark", "USD");

        await _page.GotoAsync("/products/mug");

        await Expect(_page.Locator("html")).ToHaveAttributeAsync("data-theme", "dark");
        await Expect(_page.Locator(".product .price")).ToHaveTextAsync("$15.95");
    }

    [Fact]
    public async Task The_session_page_shows_entries_and_never_the_id()
    {
        await AddAsync(_page, "mug");

        await _page.GotoAsync("/session");

        await Expect(_page.GetByLabel("cart", new() { Exact = true })).ToContainTextAsync("mug");
        var token = Uri.UnescapeDataString((await CookieAsync())!);
        var id = token[2..token.IndexOf('.', StringComparison.Ordinal)];
        Assert.DoesNotContain(id, await _page.ContentAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Looking_around_costs_no_cookie()
    {
        foreach (var path in Paths)
        {
            await _page.GotoAsync(path);
        }

        Assert.Empty(await _browser.CookiesAsync());
    }

    [Fact]
    public async Task The_keyboard_alone_puts_something_into_the_cart()
    {
        await _page.GotoAsync("/products/mug");
        var add = _page.GetByRole(AriaRole.Button, new() { Name = "Add to cart" });

        for (var i = 0; i < 20 && !await add.EvaluateAsync<bool>("button => button === document.activeElement"); i++)
        {
            await _page.Keyboard.PressAsync("Tab");
        }

        await Expect(add).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Enter");

        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "1");
    }

    [Theory]
    [InlineData(390)]
    [InlineData(1280)]
    public async Task No_page_complains_or_is_wider_than_the_window(int width)
    {
        await _page.SetViewportSizeAsync(width, 844);
        await AddAsync(_page, "postcards");
        await SignInAsync();
        await _page.GotoAsync("/checkout");
        foreach (var (label, field) in new[] { ("Name", "name"), ("Street and number", "street"), ("City", "city"), ("Postcode", "postcode") })
        {
            await TypeAsync(label, "Somewhere", field);
        }

        foreach (var path in Paths)
        {
            await _page.GotoAsync(path);
            Assert.True(await _page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), $"{path} scrolls sideways at {width} pixels");
            if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
            {
                await _page.EmulateMediaAsync(new() { ColorScheme = width == 390 ? ColorScheme.Light : ColorScheme.Dark });
                await _page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{width}{path.Replace('/', '-')}.png"), FullPage = true });
            }
        }

        Assert.Empty(_errors);
    }

    private async Task<IPage> NewTabAsync()
    {
        var page = await _browser.NewPageAsync();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _errors.Add($"{page.Url}: {message.Text}");
            }
        };
        page.PageError += (_, error) => _errors.Add($"{page.Url}: {error}");
        return page;
    }

    private static async Task AddAsync(IPage page, string slug)
    {
        await page.GotoAsync($"/products/{slug}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to cart" }).ClickAsync();
        await Expect(page.Locator(".notice")).ToBeVisibleAsync();
    }

    private async Task SignInAsync()
    {
        await _page.GotoAsync("/sign-in");
        await _page.GetByLabel("Name").FillAsync("alice");
        await _page.GetByLabel("Password").FillAsync("wanderlust");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(_page.Locator(".notice")).ToHaveTextAsync("Welcome, alice.");
    }

    private async Task PreferAsync(string theme, string currency)
    {
        await _page.GotoAsync("/preferences");
        await _page.GetByLabel(theme, new() { Exact = true }).CheckAsync();
        await _page.GetByLabel("Currency").SelectOptionAsync(currency);
        await _page.GetByRole(AriaRole.Button, new() { Name = "Keep" }).ClickAsync();
        await Expect(_page.Locator(".notice")).ToBeVisibleAsync();
    }

    /// <summary>Types into a field of the checkout and waits until the server has kept it.</summary>
    private Task<IResponse> TypeAsync(string label, string value, string field) => _page.RunAndWaitForResponseAsync(
        () => _page.GetByLabel(label).PressSequentiallyAsync(value),
        response => response.Status == 204 && response.Url.EndsWith($"/checkout/draft/{field}", StringComparison.Ordinal) && response.Request.PostData == $"\"{value}\"");

    private async Task<string?> CookieAsync() => (await _browser.CookiesAsync()).SingleOrDefault(cookie => cookie.Name == "sid")?.Value;

    private static ILocator CartCount(IPage page) => page.Locator(".count");

    private static ILocator SignInLink(IPage page) => page.GetByRole(AriaRole.Link, new() { Name = "Sign in" });
}
