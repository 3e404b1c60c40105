using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

/// <summary>
/// NestJS with express-session and ASP.NET Core with Sojourn behind one origin, as somebody with a browser meets them: as one shop, whatever the database.
/// </summary>
[Collection("SharedLogin")]
public abstract class SharedLoginTests(ShopFixture fixture, SharedLoginServer shop) : IAsyncLifetime
{
    protected List<string> Errors { get; } = [];

    protected SharedLoginServer Shop => shop;

    protected IBrowserContext Context { get; private set; } = null!;

    protected IPage Page { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Context = await fixture.Browser.NewContextAsync(new() { BaseURL = shop.Address });
        Page = await Context.NewPageAsync();
        Page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Errors.Add($"{Page.Url}: {message.Text}");
            }
        };
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Context.DisposeAsync();
    }

    [Fact]
    public async Task Who_signs_in_on_NestJS_fills_the_cart_on_ASP_NET_Core_by_one_and_the_same_cookie()
    {
        await SignInAsync("Ada");
        await ExpectFromNestAsync();
        var cookie = await CookieAsync();

        await AddAsync("The Tide Tables");

        await ExpectFromAspNetCoreAsync();
        await Expect(Page.GetByRole(AriaRole.Banner)).ToContainTextAsync("Ada");
        await Expect(Page.GetByRole(AriaRole.Listitem)).ToHaveTextAsync("The Tide Tables × 1");
        Assert.Equal(cookie, await CookieAsync());
        await Page.GotoAsync("/");
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
        await Expect(Page.Locator("output")).ToHaveTextAsync(City);
        await Page.GotoAsync("/account");
        await ExpectFromNestAsync();
        await Expect(Page.Locator("output")).ToHaveTextAsync(Note);
        await Expect(Page.GetByLabel("Deliver to")).ToHaveValueAsync(City);
        Assert.Empty(Errors);
    }

    [Fact]
    public async Task Of_clicks_that_come_at_once_none_is_lost()
    {
        await AddAsync("The Tide Tables");
        var other = await Context.NewPageAsync();
        await other.GotoAsync("/");
        const string Add = """
            sku => Promise.all(Array.from({ length: 10 }, () =>
                Promise.all([fetch("/cart", { method: "POST", body: new URLSearchParams({ sku }), redirect: "manual" }), fetch("/account")])))
            """;

        await Task.WhenAll(Page.EvaluateAsync<JsonElement>(Add, "tide"), other.EvaluateAsync<JsonElement>(Add, "lamp"));

        await Page.GotoAsync("/cart");
        await Expect(Page.GetByRole(AriaRole.Listitem)).ToHaveTextAsync(["The Tide Tables × 11", "A Lamp for the Pier × 10"]);
        await Page.GotoAsync("/");
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
        var other = await Context.NewPageAsync();
        await other.GotoAsync(there);
        await Expect(other.GetByRole(AriaRole.Banner)).ToContainTextAsync("Ada");

        await Page.GotoAsync(here);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(SignInLink(Page)).ToBeVisibleAsync();

        await other.ReloadAsync();
        await Expect(SignInLink(other)).ToBeVisibleAsync();
        await Expect(other.Locator(".count")).ToHaveTextAsync("0");

        // Nor does the cookie open anything when it is kept.
        await Context.AddCookiesAsync([new() { Name = "connect.sid", Value = cookie, Url = shop.Address }]);
        foreach (var path in (string[])["/account", "/cart"])
        {
            await Page.GotoAsync(path);
            await Expect(SignInLink(Page)).ToBeVisibleAsync();
        }
    }

    protected async Task SignInAsync(string name)
    {
        await Page.GotoAsync("/sign-in");
        await Page.GetByLabel("Name").FillAsync(name);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await Expect(Page.GetByText($"Signed in as {name}.")).ToBeVisibleAsync();
    }

    protected async Task AddAsync(string title)
    {
        await Page.GotoAsync("/");
        await Page.GetByRole(AriaRole.Listitem).Filter(new() { HasText = title }).GetByRole(AriaRole.Button).ClickAsync();
        await Expect(Page.GetByRole(AriaRole.Heading, new() { Name = "Cart" })).ToBeVisibleAsync();
    }

    private async Task KeepAsync(string path, string label, string value)
    {
        await Page.GotoAsync(path);
        await Page.GetByLabel(label).FillAsync(value);
        await Page.RunAndWaitForResponseAsync(
            () => Page.GetByRole(AriaRole.Button, new() { Name = "Keep" }).ClickAsync(),
            response => response.Request.Method == "GET" && response.Url.EndsWith(path, StringComparison.Ordinal));
        await Expect(Page.GetByLabel(label)).ToHaveValueAsync(value);
    }

    private Task ExpectFromNestAsync() => Expect(Page.GetByRole(AriaRole.Contentinfo)).ToContainTextAsync("NestJS");

    private Task ExpectFromAspNetCoreAsync() => Expect(Page.GetByRole(AriaRole.Contentinfo)).ToContainTextAsync("ASP.NET Core");

    protected Task ExpectCountAsync(int count) =>
        Expect(Page.Locator(".count")).ToHaveTextAsync(count.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private async Task<string> CookieAsync() => Assert.Single(await Context.CookiesAsync(), cookie => cookie.Name == "connect.sid").Value;

    private static ILocator SignInLink(IPage page) => page.GetByRole(AriaRole.Link, new() { Name = "Sign in" });
}
