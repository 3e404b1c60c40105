using System.Buffers;
using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>An authentication handler asks for the session before UseSojourn does, as web applications have it, or answers in its place.</summary>
public sealed class FirstAskerTests
{
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_session_is_loaded_once_and_the_middleware_goes_on_with_it()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using (var begun = await client.GetAsync("/count", Token))
        {
            Assert.Single(begun.Headers.GetValues("Set-Cookie"));
            Assert.Equal("1", await begun.Content.ReadAsStringAsync(Token));
        }

        _store.ResetCounts();
        Assert.Equal("2", await client.GetStringAsync("/count", Token));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Read));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Replace));
    }

    [Fact]
    public async Task What_a_callback_put_into_the_session_is_saved_though_the_middleware_never_ran()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        using (var callback = await client.GetAsync("/callback", Token))
        {
            Assert.Equal(HttpStatusCode.Redirect, callback.StatusCode);
            Assert.Single(callback.Headers.GetValues("Set-Cookie"));
        }

        Assert.Equal("ada", await client.GetStringAsync("/private", Token));
    }

    [Theory]
    [InlineData(StoreVerb.Read, false)]
    [InlineData(StoreVerb.Create, false)]
    [InlineData(StoreVerb.Create, true)]
    [InlineData(StoreVerb.Delete, false)]
    public async Task A_callback_that_cannot_be_saved_is_503_and_signs_nobody_in(StoreVerb verb, bool isNewVisitor)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        if (!isNewVisitor)
        {
            await client.GetStringAsync("/count", Token);
        }

        _store.On(verb).Fail();
        using (var callback = await client.GetAsync("/callback", Token))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, callback.StatusCode);
            Assert.NotNull(callback.Headers.RetryAfter);
            Assert.Null(callback.Headers.Location);
            Assert.False(callback.Headers.Contains("Set-Cookie"));
        }

        _store.Clear();
        using var answer = await client.GetAsync("/private", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Theory]
    [InlineData("/private")]
    [InlineData("/count")]
    [InlineData("/nowhere")]
    public async Task A_session_that_cannot_be_loaded_is_503_whoever_asked_first(string path)
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetStringAsync("/count", Token);
        _store.On(StoreVerb.Read).Fail();
        using var answer = await client.GetAsync(path, Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("urn:sojourn:session-unavailable", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endpoints_words_on_the_session_are_heard()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetStringAsync("/count", Token);
        _store.ResetCounts();
        Assert.Equal("none", await client.GetStringAsync("/without", Token));
        Assert.Equal(0, _store.Calls);
        Assert.Equal("refused", await client.GetStringAsync("/read-only", Token));
    }

    [Fact]
    public async Task The_turn_of_an_exclusive_session_ends_with_a_request_that_never_reached_the_middleware()
    {
        await using var app = await StartAsync(o => o.ExclusiveTimeout = TimeSpan.FromSeconds(5));
        using var client = app.NewClient();
        await client.GetStringAsync("/count", Token);
        using (var refused = await client.GetAsync("/exclusive", Token))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }

        await client.GetAsync("/callback", Token);
        var counts = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.GetStringAsync("/exclusive", Token)));
        Assert.Equal(10, counts.Distinct().Count());
    }

    [Fact]
    public async Task What_others_change_when_the_response_starts_is_saved()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        await client.GetStringAsync("/last-words", Token);
        Assert.Equal("1", await client.GetStringAsync("/counted", Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_error_page_goes_on_with_the_same_session_in_services_of_its_own_too(bool createsScope)
    {
        await using var app = await StartAsync(
            before: app => app.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandlingPath = "/error", CreateScopeForErrors = createsScope }));
        using var client = app.NewClient();
        await client.GetStringAsync("/count", Token);
        _store.ResetCounts();
        using var answer = await client.GetAsync("/throws", Token);
        Assert.Equal("1 so far", await answer.Content.ReadAsStringAsync(Token));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Read));
    }

    [Theory]
    [InlineData("sync")]
    [InlineData("writer")]
    [InlineData("async")]
    public async Task What_a_branch_without_UseSojourn_writes_arrives(string how)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.Map("/branch", branch => branch.Run(context => WriteAsync(context, how)));
                app.UseSojourn();
            },
            services: services => services.AddAuthentication("Sojourn").AddSojourn(),
            useSojourn: false);
        using var client = app.NewClient();
        Assert.Equal("hello", await client.GetStringAsync("/branch", Token));

        static Task WriteAsync(HttpContext context, string how)
        {
            context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = true;
            switch (how)
            {
                case "sync":
                    context.Response.Body.Write("hello"u8);
                    return Task.CompletedTask;
                case "writer":
                    context.Response.BodyWriter.Write("hello"u8);
                    return Task.CompletedTask;
                default:
                    return context.Response.WriteAsync("hello");
            }
        }
    }

    [Fact]
    public async Task What_nobody_would_save_any_more_is_not_changed()
    {
        Exception? refusal = null;
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseWhen(context => context.Request.Path != "/late", branch => branch.UseSojourn());
                app.MapPost("/begin", (Session session) => session.Set("name", "ada"));
                app.MapGet("/late", async (HttpContext context) =>
                {
                    await context.Response.WriteAsync("first");
                    refusal = Record.Exception(() => context.GetSession().Set("name", "grace"));
                });
                app.MapGet("/name", (Session session) => session.Get<string>("name"));
            },
            services: services => services.AddAuthentication("Sojourn").AddSojourn(),
            useSojourn: false);
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        await client.GetStringAsync("/late", Token);
        Assert.Contains("UseSojourn", Assert.IsType<InvalidOperationException>(refusal).Message, StringComparison.Ordinal);
        Assert.Equal("ada", await client.GetStringAsync("/name", Token));
    }

    private Task<TestApp> StartAsync(Action<SojournOptions>? options = null, Action<WebApplication>? before = null) => TestApp.StartAsync(
        app =>
        {
            before?.Invoke(app);
            app.UseRouting();
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseSojourn();
            app.MapGet("/count", (Session session) => Count(session));
            app.MapGet("/counted", (Session session) => session.Get<int>("count"));
            app.MapGet("/private", (ClaimsPrincipal user) => user.Identity!.Name).RequireAuthorization();
            app.MapGet("/without", (HttpContext context) => SessionFeature.Of(context) is null ? "none" : "some").WithoutSession();
            app.MapGet("/read-only", (Session session) =>
            {
                Assert.Throws<InvalidOperationException>(() => session.Set("name", "Grace"));
                return "refused";
            }).WithReadOnlySession();
            app.MapGet("/exclusive", async (Session session) =>
            {
                var count = session.Get<int>("count");
                await Task.Delay(5);
                session.Set("count", count + 1);
                return count;
            }).WithExclusiveSession().RequireAuthorization();
            app.MapGet("/last-words", (HttpContext context, Session session) =>
            {
                context.Response.OnStarting(() =>
                {
                    Count(session);
                    return Task.CompletedTask;
                });
                return "said";
            });
            app.MapGet("/throws", string (Session session) =>
            {
                Count(session);
                throw new InvalidOperationException("on purpose");
            });
            app.MapGet("/error", (Session session) => $"{session.Get<int>("count")} so far");
        },
        _store,
        options,
        services => services.AddAuthorization().AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, TestHandler>("test", null),
        useSojourn: false,
        useRouting: false);

    private static int Count(Session session)
    {
        session.Update<int>("count", count => count + 1);
        return session.Get<int>("count");
    }

    /// <summary>Whoever the session belongs to is signed in. Answers its callback in UseAuthentication, as OpenID Connect does.</summary>
    private sealed class TestHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder), IAuthenticationRequestHandler
    {
        public async Task<bool> HandleRequestAsync()
        {
            if (Request.Path != "/callback")
            {
                return false;
            }

            var feature = await SessionFeature.BeginAsync(Context);
            try
            {
                await feature!.Current.SignInAsync("ada", cancellationToken: Context.RequestAborted);
            }
            catch (Exception e) when (feature!.TakesOver(e))
            {
                // The handler that signed in goes on to redirect.
            }

            Response.Redirect("/private");
            return true;
        }

        protected override async Task<AuthenticateResult> HandleAuthenticateAsync() => await SessionFeature.BeginAsync(Context) switch
        {
            null => AuthenticateResult.NoResult(),
            { LoadFailure: { } failure } => AuthenticateResult.Fail(failure),
            { Current.Subject: { } subject } =>
                AuthenticateResult.Success(new(new(new ClaimsIdentity([new Claim(ClaimTypes.Name, subject)], "test")), Scheme.Name)),
            _ => AuthenticateResult.NoResult(),
        };

        protected override Task HandleChallengeAsync(AuthenticationProperties properties) =>
            SessionFeature.Of(Context) is { LoadFailure: { } failure } feature ? feature.AnswerAsync(failure) : base.HandleChallengeAsync(properties);
    }
}
