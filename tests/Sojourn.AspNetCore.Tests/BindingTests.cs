using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The ways to come by the session, and by its options.</summary>
public sealed class BindingTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/minimal")]
    [InlineData("/entry")]
    [InlineData("/context")]
    [InlineData("/api")]
    [InlineData("/mvc")]
    public async Task Every_way_leads_to_the_same_session(string path)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        (await client.GetAsync(path, Token)).EnsureSuccessStatusCode();
        (await client.GetAsync(path, Token)).EnsureSuccessStatusCode();
        Assert.Equal("2", await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task An_MVC_parameter_is_bound_to_the_entry_of_its_name_and_watched()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        Assert.Equal("no cart", await client.GetStringAsync("/mvc/cart", Token));
        await client.GetStringAsync("/mvc/begin", Token);
        Assert.Equal("apple", await client.GetStringAsync("/mvc/cart", Token));
        Assert.Equal("apple,apple", await client.GetStringAsync("/mvc/cart", Token));
    }

    [Fact]
    public async Task AspNetCores_own_session_sees_the_same_entries()
    {
        await using var app = await StartAsync(app =>
        {
            app.MapGet("/set", async (HttpContext context) =>
            {
                context.Session.SetString("text", "Ada");
                context.Session.SetInt32("number", 7);
                context.Session.Set("bytes", [0xff, 0x00]);
                context.Session.SetString("gone", "x");
                context.Session.Remove("gone");
                await context.Session.CommitAsync();
            });
            app.MapGet("/check", (HttpContext context, Session session) =>
            {
                Assert.Equal("Ada", session.Get<string>("text"));
                Assert.Equal("/wA=", session.Get<Dictionary<string, string>>("bytes")!["$bytes"]);
                Assert.Equal([0xff, 0x00], context.Session.Get("bytes"));
                Assert.Equal(7, context.Session.GetInt32("number"));
                Assert.Equal(["text", "number", "bytes"], context.Session.Keys);
                session.Set("list", (int[])[1, 2]);
                Assert.Equal("[1,2]", context.Session.GetString("list"));
                context.Session.Clear();
                Assert.Empty(session.Names);
            });
        });
        using var client = app.NewClient();
        (await client.GetAsync("/set", Token)).EnsureSuccessStatusCode();
        using var response = await client.GetAsync("/check", Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task TempData_is_saved_although_it_saves_itself_when_the_response_starts()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using var first = await client.GetAsync("/mvc/temp", Token);
        Assert.Equal("kept", await first.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token));
        Assert.Single(first.Headers.GetValues("Set-Cookie"));
        Assert.Equal("hello", await client.GetStringAsync("/mvc/temped", Token));
        Assert.Equal("nothing", await client.GetStringAsync("/mvc/temped", Token));
    }

    [Fact]
    public async Task Options_come_from_the_configuration_section()
    {
        await using var app = await TestApp.StartAsync(
            _ => { },
            configuration: new Dictionary<string, string?>
            {
                ["Sojourn:IdleTimeout"] = "00:05:00",
                ["Sojourn:Cookie:Name"] = "mine",
                ["Sojourn:SaveUninitialized"] = "true",
            });
        var options = app.Services.GetRequiredService<IOptions<SojournOptions>>().Value;
        Assert.Equal(TimeSpan.FromMinutes(5), options.IdleTimeout);
        Assert.Equal("mine", options.Cookie.Name);
        Assert.True(options.SaveUninitialized);
    }

    [Fact]
    public async Task Secrets_come_from_the_configuration_section()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(
            new ConfigurationBuilder().AddInMemoryCollection([new("Sojourn:Secrets:0", "first"), new("Sojourn:Secrets:1", "second")]).Build());
        services.AddSingleton<IHostEnvironment>(new HostingEnvironment { EnvironmentName = "Production", ApplicationName = "tests" });
        services.AddSojourn();
        await using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptions<SojournOptions>>().Value;
        Assert.Equal(["first", "second"], options.Secrets);
        Assert.Equal("__Host-sid", options.Cookie.Name);
        Assert.Equal(CookieSecure.Always, options.Cookie.Secure);
    }

    [Fact]
    public async Task Without_a_secret_Production_does_not_start_and_the_message_names_the_fix()
    {
        var e = await Assert.ThrowsAsync<OptionsValidationException>(
            () => TestApp.StartAsync(_ => { }, options: o => o.Secrets = [], environment: "Production"));
        Assert.Contains("Sojourn:Secrets:0", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void In_Development_a_secret_is_made_and_kept_for_its_user_alone()
    {
        var folder = Directory.CreateTempSubdirectory("sojourn-secret-");
        var before = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
        Environment.SetEnvironmentVariable("XDG_DATA_HOME", folder.FullName);
        try
        {
            var environment = new HostingEnvironment { EnvironmentName = "Development", ApplicationName = "my/app" };
            var defaults = new EnvironmentDefaults(environment, new ServiceCollection().BuildServiceProvider(), NullLogger<SojournOptions>.Instance);
            var (first, second) = (new SojournOptions(), new SojournOptions());
            defaults.PostConfigure(null, first);
            defaults.PostConfigure(null, second);
            Assert.Equal(43, Assert.Single(first.Secrets).Length);
            Assert.Equal(first.Secrets, second.Secrets);
            var file = Path.Combine(folder.FullName, "Sojourn", "my_app.secret");
            Assert.Equal(first.Secrets[0], File.ReadAllText(file));
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            }
        }
        finally
        {
            Environment.SetEnvironmentVariable("XDG_DATA_HOME", before);
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Options_that_contradict_each_other_stop_the_start_and_both_are_named()
    {
        var host = await Assert.ThrowsAsync<OptionsValidationException>(
            () =>
                TestApp.StartAsync(
                    _ => { }, options: o => (o.Cookie.Name, o.Cookie.Domain, o.Cookie.Secure) = ("__Host-x", "example.org", CookieSecure.Always)));
        Assert.Contains("Cookie.Name", host.Message, StringComparison.Ordinal);
        Assert.Contains("Cookie.Domain", host.Message, StringComparison.Ordinal);
        var none = await Assert.ThrowsAsync<OptionsValidationException>(
            () => TestApp.StartAsync(_ => { }, options: o => (o.Cookie.SameSite, o.Cookie.Secure) = (SessionSameSite.None, CookieSecure.Never)));
        Assert.Contains("Cookie.SameSite", none.Message, StringComparison.Ordinal);
        Assert.Contains("Cookie.Secure", none.Message, StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(Action<WebApplication>? more = null) => TestApp.StartAsync(
        app =>
        {
            app.MapControllers();
            app.MapGet("/minimal", (Session session) => session.Set("count", session.Get<int>("count") + 1));
            app.MapGet("/entry", (SessionEntry<int> count) => count.Update(value => value + 1));
            app.MapGet("/context", (HttpContext context) => context.GetSession().Update<int>("count", value => value + 1));
            app.MapGet("/count", (Session session) => session.Get<int>("count"));
            more?.Invoke(app);
        },
        services: services => services.AddControllersWithViews().AddSessionStateTempDataProvider());
}

public sealed class BoundCart
{
    public List<string> Items { get; init; } = [];
}

#pragma warning disable CA1822 // MVC takes instance methods alone for actions.
[ApiController]
public sealed class BindingApiController : ControllerBase
{
    [HttpGet("/api")]
    public void Count(Session session) => session.Update<int>("count", value => value + 1);
}

public sealed class BindingMvcController : Controller
{
    [HttpGet("/mvc")]
    public void Count(Session session) => session.Update<int>("count", value => value + 1);

    [HttpGet("/mvc/begin")]
    public void Begin(Session session) => session.Set("cart", new BoundCart { Items = { "apple" } });

    [HttpGet("/mvc/cart")]
    public string Cart([FromSession] BoundCart? cart)
    {
        if (cart is null)
        {
            return "no cart";
        }

        var items = string.Join(',', cart.Items);
        cart.Items.Add("apple");
        return items;
    }

    [HttpGet("/mvc/temp")]
    public IActionResult Temp()
    {
        TempData["message"] = "hello";
        return Content("kept");
    }

    [HttpGet("/mvc/temped")]
    public string Temped() => TempData["message"] as string ?? "nothing";
}
#pragma warning restore CA1822
