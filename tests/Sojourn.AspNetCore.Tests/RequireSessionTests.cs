using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Only requests whose session has what an endpoint requires reach it.</summary>
public sealed class RequireSessionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/private")]
    [InlineData("/guarded/page")]
    public async Task Without_the_entry_the_handler_does_not_run_and_the_answer_is_401(string path)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using (var stranger = await client.GetAsync(path, Token))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, stranger.StatusCode);
            Assert.Contains("urn:sojourn:session-required", await stranger.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
            Assert.True(stranger.Headers.CacheControl!.NoStore);
            Assert.False(stranger.Headers.Contains("Set-Cookie"));
        }

        await client.PostAsync("/other", null, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(path, Token)).StatusCode);
        await client.PostAsync("/signin", null, Token);
        Assert.Equal("secret", await client.GetStringAsync(path, Token));
        await client.PostAsync("/signout", null, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(path, Token)).StatusCode);
    }

    [Fact]
    public async Task A_page_may_be_named_to_go_to_instead()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using var page = await client.GetAsync("/page", Token);
        Assert.Equal((HttpStatusCode.Found, "/signin?ReturnUrl=%2Fpage"), (page.StatusCode, page.Headers.Location?.ToString()));
        using var form = await client.PostAsync("/page", null, Token);
        Assert.Equal((HttpStatusCode.SeeOther, "/signin"), (form.StatusCode, form.Headers.Location?.ToString()));
    }

    [Fact]
    public async Task Without_a_name_any_stored_session_will_do()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/any", Token)).StatusCode);
        await client.PostAsync("/other", null, Token);
        Assert.Equal("any", await client.GetStringAsync("/any", Token));
    }

    [Fact]
    public async Task All_requirements_of_an_endpoint_count_and_one_without_a_session_meets_none()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/signin", null, Token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/both", Token)).StatusCode);
        await client.PostAsync("/other", null, Token);
        Assert.Equal("both", await client.GetStringAsync("/both", Token));
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/contradiction", Token)).StatusCode);
    }

    [Theory]
    [InlineData(SessionLoad.BeforeHandler)]
    [InlineData(SessionLoad.OnFirstUse)]
    public async Task A_requirement_that_comes_too_late_is_an_error(SessionLoad load)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseRouting();
                app.MapGet("/private", () => "secret").RequireSession("user");
            },
            options: options => options.Load = load,
            useRouting: false);
        using var client = app.NewClient();
        Assert.Equal(HttpStatusCode.InternalServerError, (await client.GetAsync("/private", Token)).StatusCode);
    }

    [Theory]
    [InlineData("mistyped name")]
    [InlineData("session that nobody serves")]
    [InlineData("no UseSojourn")]
    [InlineData("short circuit")]
    [InlineData("late routing")]
    public async Task Nobody_is_let_in_where_nobody_looks(string mistake)
    {
        var hasRun = false;
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (mistake is not "no UseSojourn")
                {
                    app.UseSojourn();
                    app.UseSojourn("other");
                }

                if (mistake is "late routing")
                {
                    app.UseRouting();
                }

                var name = mistake switch { "mistyped name" => "Admin", "session that nobody serves" => "admin", _ => "" };
                var endpoint = app.MapPost("/delete", () => hasRun = true).RequireSession(new RequireSessionAttribute("user") { Session = name });
                if (mistake is "short circuit")
                {
                    endpoint.ShortCircuit();
                }
            },
            options: options => options.Load = SessionLoad.OnFirstUse,
            services: services =>
            {
                services.AddSojourn("admin");
                services.AddSojourn("other", options => options.Cookie.Name = "other");
            },
            useSojourn: false,
            useRouting: mistake is not "late routing");
        using var client = app.NewClient();
        Assert.Equal(HttpStatusCode.InternalServerError, (await client.PostAsync("/delete", null, Token)).StatusCode);
        Assert.False(hasRun);
    }

    [Fact]
    public async Task The_page_to_go_to_is_within_the_applications_path()
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UsePathBase("/shop");
                app.UseRouting();
                app.UseSojourn();
                app.MapGet("/private", () => "secret").RequireSignIn("/signin");
            },
            useRouting: false,
            useSojourn: false);
        using var client = app.NewClient();
        using var answer = await client.GetAsync("/shop/private", Token);
        Assert.Equal("/shop/signin?ReturnUrl=%2Fshop%2Fprivate", answer.Headers.Location?.ToString());
    }

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(
        app =>
        {
            app.MapPost("/signin", async (Session session) =>
            {
                session.Set("user", "ada");
                await session.SignInAsync("ada");
            });
            app.MapPost("/signout", async (Session session) => await session.DestroyAsync());
            app.MapPost("/other", (Session session) => session.Set("other", 1));
            app.MapGet("/private", () => "secret").RequireSession("user");
            app.MapMethods("/page", ["GET", "POST"], () => "page").RequireSession(new RequireSessionAttribute("user") { RedirectTo = "/signin" });
            app.MapGet("/any", () => "any").RequireSession();
            app.MapGet("/both", () => "both").RequireSession("user").RequireSession("other");
            app.MapGet("/contradiction", () => "never").RequireSession("user").WithoutSession();
            app.MapControllers();
        },
        services: services => services.AddControllers().AddApplicationPart(typeof(GuardedController).Assembly));
}

[Route("guarded")]
[RequireSession("user")]
public sealed class GuardedController : ControllerBase
{
    [HttpGet("page")]
    public string Page() => HttpContext.GetSession().Get<string>("user") is null ? "" : "secret";
}
