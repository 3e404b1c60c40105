using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore.Tests;

public sealed class CachingTests
{
    private static readonly Dictionary<string, Action<Session>> Looks = new(StringComparer.Ordinal)
    {
        ["Get"] = session => session.Get<string>("name"),
        ["TryGet"] = session => session.TryGet<string>("name", out _),
        ["Contains"] = session => session.Contains("name"),
        ["Names"] = session => _ = session.Names,
        ["Id"] = session => _ = session.Id,
        ["Handle"] = session => _ = session.Handle,
        ["Subject"] = session => _ = session.Subject,
        ["CreatedAt"] = session => _ = session.CreatedAt,
        ["Cookie"] = session => _ = session.Cookie,
        ["Set"] = session => session.Set("name", "Grace"),
        ["Update"] = session => session.Update<string>("name", name => name + "!"),
        ["Clear"] = session => session.Clear(),
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Accessors() => [.. Looks.Keys, "ISession.Keys", "ISession.TryGetValue", "ISession.Id"];

    [Theory]
    [MemberData(nameof(Accessors))]
    public async Task A33_O21_V11_A_response_that_looked_at_the_session_is_for_its_visitor_alone(string accessor)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        using var answer = await client.GetAsync($"/look/{accessor}", Token);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        Assert.Equal(["Cookie"], answer.Headers.Vary);
    }

    [Fact]
    public async Task A_response_that_did_not_look_at_the_session_is_left_alone()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        using var answer = await client.GetAsync("/aloof", Token);
        Assert.Null(answer.Headers.CacheControl);
        Assert.Empty(answer.Headers.Vary);
    }

    [Theory]
    [InlineData("private, max-age=60", "private, max-age=60")]
    [InlineData("public, max-age=60", "no-store")]
    [InlineData("max-age=60", "no-store")]
    public async Task Only_words_that_keep_shared_caches_away_are_kept(string said, string sent)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        using var answer = await client.GetAsync("/headers?cache=" + Uri.EscapeDataString(said), Token);
        Assert.Equal(
            sent, string.Join(", ", answer.Headers.GetValues("Cache-Control")).Replace("max-age=60, private", "private, max-age=60", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("X-Cookie-Consent", "X-Cookie-Consent,Cookie")]
    [InlineData("Accept-Encoding, cookie", "Accept-Encoding,cookie")]
    [InlineData("*", "*")]
    public async Task Vary_names_the_cookie_once(string said, string sent)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        using var answer = await client.GetAsync("/headers?vary=" + Uri.EscapeDataString(said), Token);
        Assert.Equal(sent, string.Join(',', answer.Headers.Vary));
    }

    [Theory]
    [InlineData(true, "text")]
    [InlineData(false, "text")]
    [InlineData(true, "sync")]
    [InlineData(false, "sync")]
    [InlineData(true, "empty")]
    [InlineData(false, "empty")]
    public async Task A33_V11_The_output_cache_never_serves_one_visitors_page_to_another(bool isCacheOutside, string kind)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (isCacheOutside)
                {
                    app.UseOutputCache();
                }

                app.UseSojourn();
                if (!isCacheOutside)
                {
                    app.UseOutputCache();
                }

                app.MapPost("/begin/{name}", (Session session, string name) => session.Set("name", name));
                app.MapGet("/text", (Session session) => session.Get<string>("name") ?? "nobody").CacheOutput();
                app.MapGet("/sync", (HttpContext context, Session session) =>
                {
                    context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = true;
                    context.Response.Body.Write(Encoding.UTF8.GetBytes(session.Get<string>("name") ?? "nobody"));
                }).CacheOutput();
                app.MapGet(
                    "/empty",
                    (HttpContext context, Session session) => context.Response.Headers["X-Name"] = session.Get<string>("name") ?? "nobody").CacheOutput();
                app.MapGet("/shared", () => Guid.NewGuid().ToString()).CacheOutput();
            },
            services: services => services.AddOutputCache(),
            useSojourn: false);
        using var ada = app.NewClient();
        using var grace = app.NewClient();
        await ada.PostAsync("/begin/ada", null, Token);
        await grace.PostAsync("/begin/grace", null, Token);
        Assert.Equal("ada", await SeenAsync(ada));
        Assert.Equal("grace", await SeenAsync(grace));

        // The cache does work, for what is nobody's own.
        Assert.Equal(await ada.GetStringAsync("/shared", Token), await grace.GetStringAsync("/shared", Token));

        async Task<string> SeenAsync(HttpClient client)
        {
            using var answer = await client.GetAsync("/" + kind, Token);
            return kind == "empty" ? answer.Headers.GetValues("X-Name").Single() : await answer.Content.ReadAsStringAsync(Token);
        }
    }

    [Theory]
    [InlineData("middleware")]
    [InlineData("requirement")]
    public async Task A33_V11_Nor_where_the_session_was_looked_at_before_the_cache_was_asked(string who)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseSojourn();
                if (who == "middleware")
                {
                    app.Use((context, next) =>
                    {
                        context.Items["name"] = context.GetSession().Get<string>("name");
                        return next(context);
                    });
                }

                app.UseOutputCache();
                app.MapPost("/begin/{name}", (Session session, string name) => session.Set("name", name));
                var page = app.MapGet("/page", (Session session) => session.Get<string>("name") ?? "nobody").CacheOutput();
                if (who == "requirement")
                {
                    page.RequireSession("name");
                }
            },
            services: services => services.AddOutputCache(),
            useSojourn: false);
        await EachSeesTheirOwnAsync(app, "/page");
    }

    [Theory]
    [InlineData(true, "/before")]
    [InlineData(false, "/before")]
    [InlineData(true, "/after")]
    [InlineData(false, "/after")]
    public async Task A33_V11_Response_caching_never_serves_one_visitors_page_to_another(bool isCacheOutside, string path)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (isCacheOutside)
                {
                    app.UseResponseCaching();
                }

                app.UseSojourn();
                if (!isCacheOutside)
                {
                    app.UseResponseCaching();
                }

                app.MapPost("/begin/{name}", (Session session, string name) => session.Set("name", name));
                app.MapGet("/before", (HttpContext context, Session session) =>
                {
                    context.Response.Headers.CacheControl = "public, max-age=60";
                    return session.Get<string>("name") ?? "nobody";
                });
                app.MapGet("/after", (HttpContext context, Session session) =>
                {
                    var name = session.Get<string>("name") ?? "nobody";
                    context.Response.Headers.CacheControl = "public, max-age=60";
                    return name;
                });
                app.MapGet("/shared", (HttpContext context) =>
                {
                    context.Response.Headers.CacheControl = "public, max-age=60";
                    return Guid.NewGuid().ToString();
                });
            },
            services: services => services.AddResponseCaching(),
            useSojourn: false);
        await EachSeesTheirOwnAsync(app, path);
        using var client = app.NewClient();
        await client.PostAsync("/begin/ada", null, Token);
        using var answer = await client.GetAsync(path, Token);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        Assert.False(answer.Headers.Contains("Set-Cookie"));
        using var stranger = app.NewClient();
        Assert.Equal(await client.GetStringAsync("/shared", Token), await stranger.GetStringAsync("/shared", Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whether_there_is_a_session_is_the_visitors_own_too(bool isCacheOutside)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (isCacheOutside)
                {
                    app.UseOutputCache();
                }

                app.UseSojourn();
                app.MapPost("/begin/{name}", (Session session, string name) => session.Set("name", name));
                app.MapGet("/guarded", () => "for visitors with a session").RequireSession().CacheOutput();
                app.MapGet("/new", (Session session) => session.IsNew ? "welcome" : "welcome back").CacheOutput();
            },
            services: services => services.AddOutputCache(),
            useSojourn: false);
        using var ada = app.NewClient();
        using var stranger = app.NewClient();
        await ada.PostAsync("/begin/ada", null, Token);
        using var guarded = await ada.GetAsync("/guarded", Token);
        Assert.Equal((HttpStatusCode.OK, "no-store"), (guarded.StatusCode, guarded.Headers.CacheControl?.ToString()));
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync("/guarded", Token)).StatusCode);
        Assert.Equal("welcome back", await ada.GetStringAsync("/new", Token));
        Assert.Equal("welcome", await stranger.GetStringAsync("/new", Token));
    }

    private static async Task EachSeesTheirOwnAsync(TestApp app, string path)
    {
        foreach (var name in (string[])["ada", "grace"])
        {
            using var client = app.NewClient();
            await client.PostAsync("/begin/" + name, null, Token);
            Assert.Equal(name, await client.GetStringAsync(path, Token));
        }
    }

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(app =>
    {
        app.MapPost("/begin", (Session session) => session.Set("name", "Ada"));
        app.MapGet("/aloof", (Session session) => session is null ? "none" : "some");
        app.MapGet("/look/{accessor}", (HttpContext context, string accessor) =>
        {
            switch (accessor)
            {
                case "ISession.Keys":
                    _ = context.Session.Keys;
                    break;
                case "ISession.TryGetValue":
                    context.Session.TryGetValue("name", out _);
                    break;
                case "ISession.Id":
                    _ = context.Session.Id;
                    break;
                default:
                    Looks[accessor](context.GetSession());
                    break;
            }
        });
        app.MapGet("/headers", (HttpContext context, Session session, string? cache, string? vary) =>
        {
            session.Get<string>("name");
            if (cache is not null)
            {
                context.Response.Headers.CacheControl = cache;
            }

            if (vary is not null)
            {
                context.Response.Headers.Vary = vary;
            }
        });
    });
}
