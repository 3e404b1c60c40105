using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Sessions side by side: an admin session with its own cookie, path, deadlines and store beside the default one.</summary>
public sealed class NamedSessionTests
{
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());
    private readonly FaultInjectingStore _adminStore = new(new MemorySessionStore());
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Both_are_saved_before_the_first_byte_and_neither_sees_the_others_entries(bool isAdminOutside)
    {
        await using var app = await StartAsync(isAdminOutside: isAdminOutside);
        using var client = app.NewClient();
        using (var begun = await client.GetAsync("/admin/set-both", Token))
        {
            var cookies = begun.Headers.GetValues("Set-Cookie").Order(StringComparer.Ordinal).ToArray();
            Assert.Equal(2, cookies.Length);
            Assert.StartsWith("sid-admin=s%3A", cookies[0], StringComparison.Ordinal);
            Assert.Contains("; Path=/admin;", cookies[0], StringComparison.Ordinal);
            Assert.StartsWith("sid=s%3A", cookies[1], StringComparison.Ordinal);
            Assert.Contains("; Path=/;", cookies[1], StringComparison.Ordinal);
        }

        Assert.Equal("visitor root", await client.GetStringAsync("/admin/get-both", Token));
        Assert.Equal("visitor", await client.GetStringAsync("/get", Token));
        Assert.Equal("root", await client.GetStringAsync("/admin/controller", Token));
        Assert.Equal(1, _adminStore.CallsOf(StoreVerb.Create));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Create));
    }

    [Fact]
    public async Task It_is_not_loaded_where_its_cookie_is_not_sent()
    {
        await using var app = await StartAsync();
        using var client = app.NewBareClient();
        var cookies = await BeginAsync(app);
        _adminStore.ResetCounts();
        foreach (var path in (string[])["/get-admin", "/administrator", "/Admin/get-both"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Cookie", cookies } } };
            using var answer = await client.SendAsync(request, Token);
            var body = await answer.Content.ReadAsStringAsync(Token);
            Assert.True(
                path == "/Admin/get-both" ? answer.StatusCode == HttpStatusCode.InternalServerError : body.Contains("Cookie.Path", StringComparison.Ordinal),
                body);
        }

        Assert.Equal(0, _adminStore.Calls);
    }

    [Fact]
    public async Task An_id_of_one_opens_nothing_in_the_other_though_they_share_a_store_and_a_secret()
    {
        await using var app = await StartAsync(admin: builder => builder.UseStore(_ => _store));
        var cookies = await BeginAsync(app);
        var main = cookies.Split("; ").Single(cookie => cookie.StartsWith("sid=", StringComparison.Ordinal))["sid=".Length..];
        var admin = cookies.Split("; ").Single(cookie => cookie.StartsWith("sid-admin=", StringComparison.Ordinal))["sid-admin=".Length..];
        Assert.Equal("visitor root", await AskAsync(app, "/admin/get-both", $"sid={main}; sid-admin={admin}"));
        Assert.Equal("nobody nobody", await AskAsync(app, "/admin/get-both", $"sid={admin}; sid-admin={main}"));
    }

    [Fact]
    public async Task Endpoints_speak_of_the_default_session_unless_they_name_another()
    {
        await using var app = await StartAsync();
        var cookies = await BeginAsync(app);
        _store.ResetCounts();
        _adminStore.ResetCounts();
        Assert.Equal("visitor", await AskAsync(app, "/admin/without-admin", cookies));
        Assert.Equal(0, _adminStore.Calls);
        Assert.Equal(1, _store.CallsOf(StoreVerb.Read));
        Assert.Equal("root", await AskAsync(app, "/admin/without-default", cookies));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Read));
        Assert.Equal("refused", await AskAsync(app, "/admin/read-only-admin", cookies));
        Assert.Equal("let in", await AskAsync(app, "/admin/required", cookies));
        using var client = app.NewBareClient();
        using var refused = await client.GetAsync("/admin/required", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var counts = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => AskAsync(app, "/admin/exclusive", cookies)));
        Assert.Equal(5, counts.Distinct().Count());
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_failure_of_one_store_is_503_once_and_never_the_handlers_answer(bool isAdminOutside, bool doesAdminFail)
    {
        await using var app = await StartAsync(isAdminOutside: isAdminOutside);
        var cookies = await BeginAsync(app);
        var store = doesAdminFail ? _adminStore : _store;
        foreach (var verb in (StoreVerb[])[StoreVerb.Replace, StoreVerb.Read])
        {
            store.On(verb).Fail();
            using var client = app.NewBareClient();
            using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/set-both") { Headers = { { "Cookie", cookies } } };
            using var answer = await client.SendAsync(request, Token);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
            var body = await answer.Content.ReadAsStringAsync(Token);
            Assert.StartsWith("{", body, StringComparison.Ordinal);
            Assert.EndsWith("}", body, StringComparison.Ordinal);
            Assert.DoesNotContain("saved", body, StringComparison.Ordinal);
            store.Clear();
        }

        Assert.Equal("visitor root", await AskAsync(app, "/admin/get-both", cookies));
    }

    [Fact]
    public async Task Each_has_its_own_deadlines_and_section_and_takes_the_rest_from_the_default_one()
    {
        await using var app = await StartAsync(configuration: new Dictionary<string, string?>
        {
            ["Sojourn:IdleTimeout"] = "01:00:00",
            ["Sojourn:Sessions:admin:IdleTimeout"] = "00:05:00",
        });
        var options = app.Services.GetRequiredService<IOptionsMonitor<SojournOptions>>();
        Assert.Equal(TimeSpan.FromHours(1), options.Get("").IdleTimeout);
        Assert.Equal(TimeSpan.FromMinutes(5), options.Get("admin").IdleTimeout);
        Assert.Equal([TestApp.Secret], options.Get("admin").Secrets);
        Assert.Equal(options.Get("").ApplicationName, options.Get("admin").ApplicationName);
        var cookies = await BeginAsync(app);
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("visitor nobody", await AskAsync(app, "/admin/get-both", cookies));
    }

    [Theory]
    [InlineData("Development", "/admin", "sid-admin")]
    [InlineData("Production", "/admin", "__Secure-sid-admin")]
    [InlineData("Production", "/", "__Host-sid-admin")]
    public async Task Its_cookie_has_a_name_of_its_own_that_browsers_accept(string environment, string path, string name)
    {
        await using var app = await StartAsync(options: o => o.Cookie.Path = path, environment: environment);
        using var client = app.NewBareClient();
        using var begun = await client.GetAsync("/admin/set-both", Token);
        Assert.Single(
            begun.Headers.GetValues("Set-Cookie"),
            cookie => cookie.StartsWith(name + "=", StringComparison.Ordinal) && cookie.Contains($"; Path={path};", StringComparison.Ordinal));
    }

    public static TheoryData<string, string> Mistakes() => new()
    {
        { "cookie", "another Cookie.Name" },
        { "header", "another name" },
        { "scheme", "another scheme" },
        { "host", "__Host-" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task What_could_not_be_told_apart_is_refused_at_start(string mistake, string fix)
    {
        var thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(_ => { }, services: services =>
        {
            var main = new SojournBuilder(services);
            var admin = services.AddSojourn("admin", o =>
            {
                o.Cookie.Path = "/admin";
                o.Cookie.Name = mistake switch { "cookie" => "sid", "host" => "__Host-admin", _ => null };
            });
            if (mistake is "header" or "scheme")
            {
                main.WithTransports(SessionTransports.Cookie, SessionTransports.Header());
                admin.WithTransports(mistake == "header" ? SessionTransports.Header(scheme: "Admin") : SessionTransports.Header("X-Admin-Session-Id"));
            }
        }));
        Assert.Contains(thrown.Failures, failure => failure.Contains(fix, StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_no_name_or_not_registered_is_refused_at_once()
    {
        var services = new ServiceCollection();
        Assert.Throws<ArgumentException>(() => services.AddSojourn(""));
        Assert.Throws<ArgumentException>(() => services.AddSojourn("a:b"));
        Assert.Throws<ArgumentException>(() => services.AddSojourn(new string('a', 65)));
        services.AddSojourn();
        using var provider = services.BuildServiceProvider();
        Assert.Contains(
            "AddSojourn(\"admin\")", Assert.Throws<InvalidOperationException>(() => new ApplicationBuilder(provider).UseSojourn("admin")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outside_a_request_the_manager_of_its_name_loads_changes_and_saves_it()
    {
        await using var app = await StartAsync();
        var cookies = await BeginAsync(app);
        var id = Uri.UnescapeDataString(cookies.Split("sid-admin=s%3A")[1]).Split('.')[0];
        var manager = app.Services.GetRequiredKeyedService<SessionManager>("admin");
        var session = await manager.LoadAsync(id, Token);
        session!.Set("name", "changed by a worker");
        await manager.CommitAsync(session, Token);
        Assert.Equal("visitor changed by a worker", await AskAsync(app, "/admin/get-both", cookies));
        Assert.Null(await app.Services.GetRequiredService<SessionManager>().LoadAsync(id, Token));
    }

    [Fact]
    public async Task Every_store_has_its_options_is_prepared_and_is_cleaned_up()
    {
        var (main, admin) = (new KeptStore(), new KeptStore());
        await using var app = await TestApp.StartAsync(
            app => app.MapHealthChecks("/health"),
            main,
            time: _time,
            services: services =>
            {
                services.AddSojourn("admin").UseStore(_ => admin);
                services.AddSojourn("small").UseMemory(memory => memory.MaxSessions = 7);
                services.AddHealthChecks().AddSojourn();
            });
        Assert.True(main.IsPrepared && admin.IsPrepared);
        Assert.Equal(7, app.Services.GetRequiredService<IOptionsMonitor<MemorySessionStoreOptions>>().Get("small").MaxSessions);
        Assert.NotEqual(7, app.Services.GetRequiredService<IOptionsMonitor<MemorySessionStoreOptions>>().Get("").MaxSessions);
        while (!main.Pruned.IsCompleted || !admin.Pruned.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(10, Token);
        }

        using var client = app.NewClient();
        Assert.Equal("Healthy", await client.GetStringAsync("/health", Token));
        admin.IsAway = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("/health", Token)).StatusCode);
    }

    private static async Task<string> BeginAsync(TestApp app)
    {
        using var client = app.NewBareClient();
        using var begun = await client.GetAsync("/admin/set-both", Token);
        return string.Join("; ", begun.Headers.GetValues("Set-Cookie").Select(cookie => cookie.Split(';')[0]));
    }

    private static async Task<string> AskAsync(TestApp app, string path, string cookies)
    {
        using var client = app.NewBareClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Cookie", cookies } } };
        using var answer = await client.SendAsync(request, Token);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync(Token);
    }

    private Task<TestApp> StartAsync(
        Action<SojournOptions>? options = null,
        Action<SojournBuilder>? admin = null,
        bool isAdminOutside = false,
        string environment = "Development",
        IReadOnlyDictionary<string, string?>? configuration = null) => TestApp.StartAsync(
        app =>
        {
            if (isAdminOutside)
            {
                app.UseSojourn("admin");
            }

            app.UseSojourn();
            if (!isAdminOutside)
            {
                app.UseSojourn("admin");
            }

            app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapGet("/get-admin", (HttpContext context) => Assert.Throws<InvalidOperationException>(() => context.GetSession("admin")).Message);
            app.MapGet("/administrator", (HttpContext context) => Assert.Throws<InvalidOperationException>(() => context.GetSession("admin")).Message);
            app.MapGet("/admin/set-both", async (HttpContext context, Session session, [FromKeyedServices("admin")] Session admin) =>
            {
                session.Set("name", "visitor");
                admin.Set("name", "root");
                session.Update<int>("visits", visits => visits + 1);
                admin.Update<int>("visits", visits => visits + 1);
                await context.Response.WriteAsync("It is saved.");
            });
            app.MapGet(
                "/admin/get-both",
                (Session session, [FromKeyedServices("admin")] Session admin) =>
                    $"{session.Get<string>("name") ?? "nobody"} {admin.Get<string>("name") ?? "nobody"}");
            app.MapGet("/admin/without-admin", (HttpContext context) =>
            {
                Assert.Throws<InvalidOperationException>(() => context.GetSession("admin"));
                return context.GetSession().Get<string>("name");
            }).WithoutSession("admin");
            app.MapGet("/admin/without-default", (HttpContext context) =>
            {
                Assert.Throws<InvalidOperationException>(() => context.GetSession());
                return context.GetSession("admin").Get<string>("name");
            }).WithoutSession();
            app.MapGet("/admin/read-only-admin", (HttpContext context) =>
            {
                Assert.Throws<InvalidOperationException>(() => context.GetSession("admin").Set("name", "x"));
                context.GetSession().Set("other", "x");
                return "refused";
            }).WithReadOnlySession("admin");
            app.MapGet("/admin/required", () => "let in").RequireSession(new RequireSessionAttribute("name") { Session = "admin" });
            app.MapGet("/admin/exclusive", async ([FromKeyedServices("admin")] Session admin) =>
            {
                var count = admin.Get<int>("count");
                await Task.Delay(5);
                admin.Set("count", count + 1);
                return count;
            }).WithExclusiveSession("admin");
            app.MapControllers();
        },
        _store,
        services: services =>
        {
            services.AddControllers();
            var builder = services.AddSojourn("admin", o =>
            {
                o.Cookie.Path = "/admin";
                options?.Invoke(o);
            });
            builder.UseStore(_ => _adminStore);
            admin?.Invoke(builder);
        },
        time: _time,
        useSojourn: false,
        environment: environment,
        configuration: configuration);

    /// <summary>A store with tables to make and sessions to remove.</summary>
    private sealed class KeptStore : ISessionStore, ISchemaStore, IExpiringStore
    {
        private readonly MemorySessionStore _inner = new();
        private readonly TaskCompletionSource _pruned = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsPrepared { get; private set; }

        public bool IsAway { get; set; }

        public Task Pruned => _pruned.Task;

        public ValueTask EnsureSchemaAsync(CancellationToken cancellationToken)
        {
            IsPrepared = true;
            return default;
        }

        public ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
        {
            _pruned.TrySetResult();
            return new(0);
        }

        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) =>
            IsAway ? throw new IOException("away") : _inner.ReadAsync(key, cancellationToken);

        public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken) =>
            _inner.CreateAsync(key, record, cancellationToken);

        public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
            _inner.ReplaceAsync(key, current, next, cancellationToken);

        public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
            _inner.TouchAsync(key, current, expiresAt, cancellationToken);

        public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
            _inner.DeleteAsync(key, current, cancellationToken);
    }
}

public sealed class NamedSessionController : ControllerBase
{
    [HttpGet("/admin/controller")]
    public ContentResult Get([FromKeyedServices("admin")] Session admin) => Content(admin.Get<string>("name") ?? "nobody");
}
