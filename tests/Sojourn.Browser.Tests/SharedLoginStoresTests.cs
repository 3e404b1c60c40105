using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Sojourn.Browser.Tests;

public sealed class ShopOnPostgreSql() : SharedLoginServer("pg");

public sealed class SharedLoginOnPostgreSqlTests(ShopFixture fixture, ShopOnPostgreSql shop) : SharedLoginTests(fixture, shop), IClassFixture<ShopOnPostgreSql>;

public sealed class ShopOnMariaDb() : SharedLoginServer("mysql");

public sealed class SharedLoginOnMariaDbTests(ShopFixture fixture, ShopOnMariaDb shop) : SharedLoginTests(fixture, shop), IClassFixture<ShopOnMariaDb>;

public sealed class ShopOnMongoDb() : SharedLoginServer("mongo");

public sealed class SharedLoginOnMongoDbTests(ShopFixture fixture, ShopOnMongoDb shop) : SharedLoginTests(fixture, shop), IClassFixture<ShopOnMongoDb>;

public sealed class ShopOnRedis() : SharedLoginServer("redis");

/// <summary>With what does not depend on the database.</summary>
public sealed class SharedLoginOnRedisTests(ShopFixture fixture, ShopOnRedis shop) : SharedLoginTests(fixture, shop), IClassFixture<ShopOnRedis>
{
    [Fact]
    public async Task APage_of_another_site_writes_nothing_on_either_side()
    {
        await SignInAsync("Ada");
        await AddAsync("The Tide Tables");
        foreach (var path in (string[])["/cart", "/account", "/sign-out", "/cart/sign-out"])
        {
            var attacker = await Context.NewPageAsync();
            await attacker.SetContentAsync($"""<form method="post" action="{Shop.Address}{path}"><input name="sku" value="lamp"><input name="city" value="Elsewhere"></form>""");
            var answer = await attacker.RunAndWaitForResponseAsync(() => attacker.EvaluateAsync("document.forms[0].submit()"), Shop.Address + path);
            Assert.Equal(403, answer.Status);
        }

        await Page.GotoAsync("/account");
        await ExpectCountAsync(1);
        await Expect(Page.GetByLabel("Deliver to")).ToHaveValueAsync("");
    }

    [Theory]
    [InlineData(390)]
    [InlineData(1280)]
    public async Task No_page_complains_or_is_wider_than_the_window(int width)
    {
        await Page.SetViewportSizeAsync(width, 844);
        await SignInAsync("Ada");
        await AddAsync("The Tide Tables");
        foreach (var path in (string[])["/", "/cart", "/account", "/sign-in"])
        {
            await Page.GotoAsync(path);
            Assert.True(await Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), $"{path} scrolls sideways at {width} pixels");
            if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
            {
                await Page.EmulateMediaAsync(new() { ColorScheme = width == 390 ? ColorScheme.Light : ColorScheme.Dark });
                await Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"shared{width}{path.Replace('/', '-')}.png"), FullPage = true });
            }
        }

        Assert.Empty(Errors);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task The_sample_ends_what_it_started(string signal)
    {
        await using var own = new SharedLoginServer("redis");
        await own.InitializeAsync();
        Assert.True(own.IsListening());

        await own.StopAsync(signal);

        Assert.False(own.IsListening());
    }
}
