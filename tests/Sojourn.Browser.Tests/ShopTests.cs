using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

/// <summary>The shop, as somebody with a browser meets it.</summary>
public sealed class ShopTests(ShopFixture fixture) : IAsyncLifetime
{
    private static readonly string[] Paths =
    [
        "/", "/products/mug", "/cart", "/sign-in", "/preferences", "/session", "/checkout", "/checkout/delivery", "/checkout/review", "/order",
        "/account", "/confirm", "/operator",
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
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Sign in" })).ToBeVisibleAsync();
        await FillSignInAsync(_page, "bob", "milestone");
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Where to?" })).ToBeVisibleAsync();
        await CheckOutAsync();
        await Expect(_page.Locator(".total")).ToContainTextAsync("€23.50");
        await PlaceAsync();

        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Order" })).ToBeVisibleAsync();
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "0");
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task The_operator_sees_all_sessions_and_a_customer_does_not()
    {
        await SignInAsync();
        await _page.GotoAsync("/operator/sessions");
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeHiddenAsync();

        await SignInAsync(name: "olga", password: "lighthouse");
        await _page.GotoAsync("/operator");
        await _page.GetByRole(AriaRole.Link, new() { Name = "All sessions" }).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Overview" })).ToBeVisibleAsync();
        await _page.GetByRole(AriaRole.Link, new() { Name = "Sessions", Exact = true }).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Link, new() { Name = "olga" })).ToBeVisibleAsync();
    }

    [Theory]
    [InlineData("alice", "milestone")]
    [InlineData("nobody", "wanderlust")]
    public async Task A_wrong_name_or_password_is_refused(string name, string password)
    {
        await _page.GotoAsync("/sign-in");

        await FillSignInAsync(_page, name, password);

        await Expect(_page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That name and password do not go together.");
        await Expect(SignInLink(_page)).ToBeVisibleAsync();
        Assert.Null(await CookieAsync());
    }

    [Fact]
    public async Task Signing_in_never_leads_to_another_site()
    {
        await _page.GotoAsync("/sign-in?ReturnUrl=https%3A%2F%2Fexample.com%2F");

        await FillSignInAsync(_page, "alice", "wanderlust");

        await Expect(_page.Locator(".notice")).ToHaveTextAsync("Welcome, alice.");
        Assert.Equal(_shop.Address + "/", _page.Url);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_asks_to_be_remembered_is_signed_in_when_the_browser_comes_back(bool isRemembered)
    {
        await SignInAsync(isRemembered: isRemembered);

        // What a browser keeps when it is closed: the cookies that say how long.
        var kept = (await _browser.CookiesAsync()).Where(cookie => cookie.Expires >= 0);
        await using var restarted = await fixture.Browser.NewContextAsync(new() { BaseURL = _shop.Address });
        await restarted.AddCookiesAsync(kept.Select(cookie => new Cookie
        {
            Name = cookie.Name,
            Value = cookie.Value,
            Domain = cookie.Domain,
            Path = cookie.Path,
            Expires = cookie.Expires,
        }));
        var page = await restarted.NewPageAsync();
        await page.GotoAsync("/account");

        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = isRemembered ? "Your account" : "Sign in" })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_user_sees_both_devices_and_ends_the_other_one()
    {
        await SignInAsync();
        await using var phone = await NewPhoneAsync();
        var other = await phone.NewPageAsync();
        await SignInAsync(other);

        await _page.GotoAsync("/account");
        await Expect(Devices(_page)).ToHaveCountAsync(2);
        await Expect(Devices(_page).Filter(new() { HasText = "This device" })).ToContainTextAsync("Chrome on");
        await Expect(Devices(_page).Filter(new() { HasText = "Safari on an iPhone" })).ToBeVisibleAsync();
        await _page.GetByRole(AriaRole.Button, new() { Name = "End Safari on an iPhone" }).ClickAsync();

        await Expect(_page.Locator(".notice")).ToHaveTextAsync("That device is signed out.");
        await Expect(Devices(_page)).ToHaveCountAsync(1);
        await other.GetByRole(AriaRole.Link, new() { Name = "Cart" }).ClickAsync();
        await Expect(SignInLink(other)).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Ending_the_others_signs_them_out_at_their_next_click_and_asks_the_password_first()
    {
        await RestartAsync("--Shop:FreshSignIn=00:00:02");
        await using var phone = await NewPhoneAsync();
        var other = await phone.NewPageAsync();
        await SignInAsync(other);
        await SignInAsync();
        await Task.Delay(TimeSpan.FromSeconds(2.1), TestContext.Current.CancellationToken);
        await _page.GotoAsync("/account");
        var end = _page.GetByRole(AriaRole.Button, new() { Name = "End all others" });

        await end.ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Is it you, alice?" })).ToBeVisibleAsync();
        await other.GotoAsync("/");
        await Expect(other.GetByRole(AriaRole.Banner)).ToContainTextAsync("alice");
        await ConfirmUntilAsync(_page.GetByText("All other devices are signed out."), "wanderlust", end);

        await other.GetByRole(AriaRole.Link, new() { Name = "Cart" }).ClickAsync();
        await Expect(SignInLink(other)).ToBeVisibleAsync();
        await Expect(Devices(_page)).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Signing_a_device_out_closes_its_live_orders_while_its_user_watches()
    {
        await SignInAsync();
        await using var phone = await NewPhoneAsync();
        var other = await phone.NewPageAsync();
        await SignInAsync(other);
        await other.RunAndWaitForResponseAsync(
            () => other.GotoAsync("/order"), response => response.Url.EndsWith("/order/feed", StringComparison.Ordinal) && response.Status == 200);
        var told = other.GetByRole(AriaRole.Region, new() { Name = "As it happens" });

        await AddAsync(_page, "mug");
        await _page.GotoAsync("/checkout");
        await CheckOutAsync();
        await PlaceAsync();
        await Expect(told.GetByRole(AriaRole.Listitem)).ToContainTextAsync("is placed: €23.50.");
        await Expect(told.GetByRole(AriaRole.Status)).ToContainTextAsync("while this page is open");

        await _page.GotoAsync("/account");
        await _page.GetByRole(AriaRole.Button, new() { Name = "End all others" }).ClickAsync();
        await Expect(told.GetByRole(AriaRole.Status)).ToHaveTextAsync("You were signed out on this device, so nothing more is told here.");

        await AddAsync(_page, "mug");
        await _page.GotoAsync("/checkout");
        await CheckOutAsync();
        await PlaceAsync();
        await Expect(_page.GetByRole(AriaRole.Region, new() { Name = "As it happens" })).ToBeVisibleAsync();
        await Expect(told.GetByRole(AriaRole.Listitem)).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task A_changed_password_ends_the_other_devices_and_the_old_password()
    {
        await SignInAsync();
        await using var phone = await NewPhoneAsync();
        var other = await phone.NewPageAsync();
        await SignInAsync(other);
        await _page.GotoAsync("/account");

        await ChangePasswordAsync("milestone");
        await Expect(_page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That is not your password.");
        await ChangePasswordAsync("wanderlust");
        await Expect(_page.Locator(".notice")).ToContainTextAsync("Your password is changed");

        await other.GotoAsync("/account");
        await FillSignInAsync(other, "alice", "wanderlust");
        await Expect(other.GetByRole(AriaRole.Alert)).ToBeVisibleAsync();
        await FillSignInAsync(other, "alice", "another road");
        await Expect(Devices(other)).ToHaveCountAsync(2);

        async Task ChangePasswordAsync(string current)
        {
            await _page.GetByLabel("Password now").FillAsync(current);
            await _page.GetByLabel("New password").FillAsync("another road");
            await _page.GetByRole(AriaRole.Button, new() { Name = "Change it" }).ClickAsync();
        }
    }

    [Fact]
    public async Task Placing_the_order_asks_the_password_again_once_the_sign_in_is_stale()
    {
        await RestartAsync("--Shop:FreshSignIn=00:00:02");
        await AddAsync(_page, "mug");
        await SignInAsync();
        await _page.GotoAsync("/checkout");
        await CheckOutAsync();
        await Task.Delay(TimeSpan.FromSeconds(2.1), TestContext.Current.CancellationToken);

        await PlaceAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Is it you, alice?" })).ToBeVisibleAsync();
        await ConfirmAsync("milestone");
        await Expect(_page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That is not your password.");
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "1");

        var before = await CookieAsync();
        await ConfirmUntilAsync(_page.GetByText("Thank you. Your order is placed."), "wanderlust", PlaceButton);
        Assert.NotEqual(before, await CookieAsync());
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "0");
    }

    [Fact]
    public async Task An_operator_acts_as_a_customer_orders_nothing_and_comes_back()
    {
        await AddAsync(_page, "mug");
        await SignInAsync(name: "olga", password: "lighthouse");
        await _page.GetByRole(AriaRole.Link, new() { Name = "Customers" }).ClickAsync();

        await _page.GetByRole(AriaRole.Button, new() { Name = "Act as bob" }).ClickAsync();
        await Expect(_page.Locator(".acting")).ToContainTextAsync("You are olga, and act as bob.");
        await Expect(_page.GetByRole(AriaRole.Banner)).ToContainTextAsync("bob");
        await Expect(CartCount(_page)).ToHaveAttributeAsync("data-count", "0");
        await using var phone = await NewPhoneAsync();
        var bobs = await phone.NewPageAsync();
        await SignInAsync(bobs, "bob", "milestone");
        await bobs.GotoAsync("/account");
        await Expect(Devices(bobs).Filter(new() { HasText = "olga of the shop, who acts as you" })).ToBeVisibleAsync();

        await AddAsync(_page, "map");
        await _page.GotoAsync("/checkout");
        await CheckOutAsync();
        await PlaceAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Only bob can do this" })).ToBeVisibleAsync();

        await _page.GetByRole(AriaRole.Button, new() { Name = "Be olga again" }).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Name = "Customers" })).ToBeVisibleAsync();
        await Expect(_page.Locator(".acting")).ToHaveCountAsync(0);
        await _page.GotoAsync("/cart");
        await Expect(_page.GetByLabel("Quantity of Enamel mug").First).ToHaveValueAsync("1");
        await Expect(_page.GetByLabel("Quantity of Paper map")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task A_customer_acts_as_nobody()
    {
        await SignInAsync();
        await Expect(_page.GetByRole(AriaRole.Link, new() { Name = "Customers" })).ToHaveCountAsync(0);

        await _page.EvaluateAsync("""() => fetch("/operator/act-as", { method: "POST", body: new URLSearchParams({ name: "bob" }) })""");

        await _page.GotoAsync("/");
        await Expect(_page.GetByRole(AriaRole.Banner)).ToContainTextAsync("alice");
        await Expect(_page.Locator(".acting")).ToHaveCountAsync(0);
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
        await SignInAsync(name: "olga", password: "lighthouse");
        await _page.GotoAsync("/checkout");
        foreach (var (label, field) in new[] { ("Name", "name"), ("Street and number", "street"), ("City", "city"), ("Postcode", "postcode") })
        {
            await TypeAsync(label, "Somewhere", field);
        }

        foreach (var path in Paths)
        {
            await LookAsync(path, path.Replace('/', '-'));
        }

        await _page.GotoAsync("/operator");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Act as bob" }).ClickAsync();
        await LookAsync("/account", "-acting");
        await LookAsync("/confirm", "-acting-confirm");
        Assert.Empty(_errors);

        async Task LookAsync(string path, string picture)
        {
            await _page.GotoAsync(path);
            Assert.True(await _page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), $"{path} scrolls sideways at {width} pixels");
            if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
            {
                await _page.EmulateMediaAsync(new() { ColorScheme = width == 390 ? ColorScheme.Light : ColorScheme.Dark });
                await _page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{width}{picture}.png"), FullPage = true });
            }
        }
    }

    private async Task<IPage> NewTabAsync()
    {
        var page = await _browser.NewPageAsync();
        page.CollectErrors(_errors);
        return page;
    }

    private static async Task AddAsync(IPage page, string slug)
    {
        await page.GotoAsync($"/products/{slug}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add to cart" }).ClickAsync();
        await Expect(page.Locator(".notice")).ToBeVisibleAsync();
    }

    private async Task SignInAsync(IPage? page = null, string name = "alice", string password = "wanderlust", bool isRemembered = false)
    {
        page ??= _page;
        await page.GotoAsync("/sign-in");
        await page.GetByLabel("Remember me").SetCheckedAsync(isRemembered);
        await FillSignInAsync(page, name, password);
        await Expect(page.Locator(".notice")).ToHaveTextAsync($"Welcome, {name}.");
    }

    private static async Task FillSignInAsync(IPage page, string name, string password)
    {
        await page.GetByLabel("Name").FillAsync(name);
        await page.GetByLabel("Password").FillAsync(password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    /// <summary>From the address to the review.</summary>
    private async Task CheckOutAsync()
    {
        foreach (var (label, value) in new[] { ("Name", "Bob"), ("Street and number", "Long 1"), ("City", "Brno"), ("Postcode", "60200") })
        {
            await _page.GetByLabel(label).FillAsync(value);
        }

        await _page.GetByRole(AriaRole.Button, new() { Name = "Go on to delivery" }).ClickAsync();
        await _page.GetByLabel("Bicycle courier").CheckAsync();
        await _page.GetByRole(AriaRole.Button, new() { Name = "Go on to review" }).ClickAsync();
        await Expect(PlaceButton).ToBeVisibleAsync();
    }

    private Task PlaceAsync() => PlaceButton.ClickAsync();

    private ILocator PlaceButton => _page.GetByRole(AriaRole.Button, new() { Name = "Place the order" });

    private async Task ConfirmAsync(string password)
    {
        await _page.GetByLabel("Password").FillAsync(password);
        await _page.GetByRole(AriaRole.Button, new() { Name = "It is me" }).ClickAsync();
    }

    /// <summary>Confirms and tries again; on a busy machine the sign-in may be stale again by then, and the password is asked once more.</summary>
    private async Task ConfirmUntilAsync(ILocator done, string password, ILocator button)
    {
        for (var i = 0; i < 5 && await done.CountAsync() == 0; i++)
        {
            await ConfirmAsync(password);
            await button.ClickAsync();
            await Expect(done.Or(_page.GetByLabel("Password", new() { Exact = true }))).ToBeVisibleAsync();
        }

        await Expect(done).ToBeVisibleAsync();
    }

    private async Task RestartAsync(params string[] settings)
    {
        await _shop.KillAsync();
        await _shop.StartAsync(settings);
    }

    private Task<IBrowserContext> NewPhoneAsync() => fixture.Browser.NewContextAsync(new()
    {
        BaseURL = _shop.Address,
        UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    });

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
        response =>
            response.Status == 204
                && response.Url.EndsWith($"/checkout/draft/{field}", StringComparison.Ordinal)
                && response.Request.PostData == $"\"{value}\"");

    private async Task<string?> CookieAsync() => (await _browser.CookiesAsync()).SingleOrDefault(cookie => cookie.Name == "sid")?.Value;

    private static ILocator Devices(IPage page) => page.GetByRole(AriaRole.Region, new() { Name = "Your devices" }).GetByRole(AriaRole.Listitem);

    private static ILocator CartCount(IPage page) => page.Locator(".count");

    private static ILocator SignInLink(IPage page) => page.GetByRole(AriaRole.Link, new() { Name = "Sign in" });
}
