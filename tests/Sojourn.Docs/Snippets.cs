using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore;
using Sojourn.Sqlite;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Docs;

internal sealed record Cart(ImmutableList<string> Items)
{
    public static readonly Cart Empty = new([]);

    public Cart Add(string sku) => this with { Items = Items.Add(sku) };
}

internal sealed record SecretVault(string Current, string Previous);

internal static class Snippets
{
    public static void Readme(string[] args)
    {
        #region readme
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddSojourn(o => o.IdleTimeout = TimeSpan.FromMinutes(20))
            .UseSqlite("Data Source=sessions.db");
        var app = builder.Build();
        app.UseSojourn();
        app.MapPost("/cart/{sku}", (Session session, string sku) =>
        {
            session.Update<Cart>("cart", cart => (cart ?? Cart.Empty).Add(sku));
            return TypedResults.NoContent();
        });
        app.Run();
        #endregion
    }

    public static void Entries(Session session)
    {
        #region entries
        session.Set("color", "blue");
        string? color = session.Get<string>("color");
        bool isThere = session.TryGet<int>("visits", out var visits);
        bool wasThere = session.Remove("color");
        session.Clear();
        #endregion
        _ = (color, isThere, visits, wasThere);
    }

    public static async Task Updates(Session session)
    {
        #region updates
        session.Update<int>("visits", visits => visits + 1);                    // saved with the response
        int number = await session.UpdateAsync<int>("orders", n => n + 1);      // saved now
        var coupon = await session.PopAsync<string>("coupon");                  // of parallel requests, one gets it
        #endregion
        _ = (number, coupon);
    }

    public static async Task Short(Session session, CancellationToken cancellationToken)
    {
        #region short-lived
        session.Flash("notice", "Saved.");
        var step = session.Pop<int>("step");
        var rates = await session.GetOrCreateAsync<decimal>(
            "rate", _ => ValueTask.FromResult(1.17m), TimeSpan.FromMinutes(5), cancellationToken);
        #endregion
        _ = (step, rates);
    }

    public static async Task SignIn(Session session)
    {
        #region sign-in
        await session.SignInAsync("user-42");   // signed in: new id, same data, subject set
        await session.DestroyAsync();            // signed out: record gone, cookie cleared
        #endregion
    }

    public static void Endpoints(WebApplication app)
    {
        #region endpoints
        app.MapGet("/health", () => "ok").WithoutSession();
        app.MapGet("/cart", (SessionEntry<Cart> cart) => cart.Value ?? Cart.Empty).WithReadOnlySession();
        app.MapPost("/checkout", (Session session) => session.Remove("cart")).WithExclusiveSession();
        #endregion
    }

    public static void Load(WebApplicationBuilder builder, WebApplication app)
    {
        #region load
        builder.Services.AddSojourn(o => o.Load = SessionLoad.OnFirstUse);

        app.MapGet("/prices", () => "no session is asked for, no call of the store is made");
        app.MapGet("/cart", (Session session) => session.Get<Cart>("cart"));    // named: loaded before it runs
        app.MapGet("/greeting", async (HttpContext context) => context.Request.Query.ContainsKey("short")
            ? "Hello"
            : $"Hello {(await context.GetSessionAsync()).Get<string>("name")}");  // loaded where it is looked at
        #endregion
    }

    public static void SideBySide(WebApplicationBuilder builder)
    {
        #region side-by-side
        builder.Services.AddSojourn().UseSqlite("Data Source=sessions.db");
        builder.Services.AddSojourn("admin", o =>
        {
            o.Cookie.Path = "/admin";
            o.Cookie.SameSite = SessionSameSite.Strict;
            o.IdleTimeout = TimeSpan.FromMinutes(5);
        }).UseSqlite("Data Source=admin-sessions.db");
        var app = builder.Build();
        app.UseSojourn();
        app.UseSojourn("admin");
        app.MapPost("/admin/note", ([FromKeyedServices("admin")] Session admin, string text) => admin.Set("note", text));
        app.MapGet("/admin/help", () => "…").WithoutSession("admin");
        #endregion
    }

    #region outside
    public sealed class Importer(SessionManager sessions)
    {
        public async Task FinishAsync(string id, int imported, CancellationToken cancellationToken)
        {
            if (await sessions.LoadAsync(id, cancellationToken) is { } session)   // null: it has ended
            {
                session.Set("imported", imported);
                await sessions.CommitAsync(session, cancellationToken);           // or SessionEndedException: it ended meanwhile
            }
        }
    }
    #endregion

    public static void Transports(WebApplicationBuilder builder)
    {
        #region transports
        builder.Services.AddSojourn()
            .WithTransports(SessionTransports.Cookie, SessionTransports.Header());
        #endregion
    }

    public static void Express(WebApplicationBuilder builder)
    {
        #region express
        builder.Services.AddExpressSession(o =>
        {
            o.Secret = "my-secret";
            o.Resave = false;
            o.SaveUninitialized = false;
            o.Cookie.MaxAge = TimeSpan.FromHours(1);
            o.Cookie.SameSite = ExpressSameSite.Lax;
        }).UseSqlite("Data Source=sessions.db");
        #endregion
    }

    public static void ExpressServices(WebApplicationBuilder builder)
    {
        #region express-services
        builder.Services.AddExpressSession(o => o.SaveUninitialized = false);
        builder.Services.AddOptions<ExpressSessionOptions>()
            .Configure<SecretVault>((o, vault) => o.Secrets = [vault.Current, vault.Previous]);
        #endregion
    }

    public static async Task ExpressCalls(Session session)
    {
        #region express-calls
        session.Update<int>("views", views => views + 1);               // req.session.views = (req.session.views || 0) + 1
        session.Get<List<string>>("cart")?.Add("apple");                // req.session.cart.push('apple')
        session.Remove("draft");                                        // delete req.session.draft
        await session.SaveAsync();                                      // req.session.save(callback)
        await session.ReloadAsync();                                    // req.session.reload(callback)
        session.Touch();                                                // req.session.touch()
        session.Cookie.MaxAge = TimeSpan.FromDays(30);                  // req.session.cookie.maxAge = 30 * 864e5
        await session.RegenerateAsync();                                // req.session.regenerate(callback)
        await session.DestroyAsync();                                   // req.session.destroy(callback)
        session.Unset();                                                // req.session = null
        #endregion
    }

    public static void Guard(WebApplication app)
    {
        #region guard
        app.MapGet("/profile", (Session session) => session.Get<string>("user")).RequireSession("user");
        app.MapGet("/account", (Session session) => session.Get<string>("user"))
            .RequireSession(new RequireSessionAttribute("user") { RedirectTo = "/signin" });
        #endregion
    }

    public static void AspNetCore(WebApplicationBuilder builder)
    {
        #region aspnetcore
        builder.Services.AddSojourn(o => o.IdleTimeout = TimeSpan.FromMinutes(30))   // was AddDistributedMemoryCache, AddSession
            .UseSqlite("Data Source=sessions.db");
        var app = builder.Build();
        app.UseSojourn();                                                            // was UseSession
        app.MapGet("/visits", (HttpContext context) =>
        {
            var visits = (context.Session.GetInt32("visits") ?? 0) + 1;
            context.Session.SetInt32("visits", visits);
            return visits;
        });
        #endregion
    }

    public static void Stores(SojournBuilder builder)
    {
        #region stores
        builder.UseMemory(o => o.MaxSessions = 100_000);
        builder.UseSqlite("Data Source=sessions.db", o => o.Durability = SqliteDurability.Normal);
        builder.UseRedis("localhost:6379");
        builder.UsePostgreSql("Host=localhost;Database=app;Username=app");
        builder.UseMySql("Server=localhost;Database=app;User ID=app");
        builder.UseMongoDb("mongodb://localhost/app");
        builder.UseStore(services => new MemorySessionStore());
        #endregion

        #region npm-layouts
        builder.UseConnectRedis("localhost:6379");
        builder.UseConnectPgSimple("Host=localhost;Database=app;Username=app");
        builder.UseExpressMySqlSession("Server=localhost;Database=app;User ID=app");
        builder.UseConnectMongo("mongodb://localhost/app");
        #endregion

        #region migrating
        builder.UsePostgreSql("Host=localhost;Database=app;Username=app")
            .MigratingFrom(old => old.UseConnectRedis("localhost:6379"));
        #endregion
    }

    public static void NearCache(SojournBuilder builder)
    {
        #region renewal
        builder.Services.AddSojourn(o =>
        {
            o.RenewIdAfter = TimeSpan.FromMinutes(15);      // off by default
            o.RenewalGrace = TimeSpan.FromSeconds(30);      // the default
            o.EndOnDeadId = true;                           // off by default
        });
        #endregion

        #region near-cache
        builder.UseRedis("localhost:6379", o => o.Notifications = true).WithNearCache(TimeSpan.FromSeconds(5));
        #endregion

        #region near-cache-bounds
        builder.UsePostgreSql("Host=localhost;Database=app;Username=app").WithEncryption()
            .WithNearCache(TimeSpan.FromSeconds(1), o => o.MaxSessions = 50_000);
        #endregion
    }

    public static void Encryption(SojournBuilder builder, SecretVault vault, IServiceCollection services)
    {
        #region encryption
        builder.UseRedis("localhost:6379").WithEncryption();
        #endregion

        #region encryption-keys
        builder.UseRedis("localhost:6379")
            .WithEncryption(o => o.Keys.Add(new SessionEncryptionKey { Name = "2030-02", Key = vault.Current }));
        #endregion

        #region encryption-data-protection
        services.AddDataProtection().SetApplicationName("shop").PersistKeysToFileSystem(new DirectoryInfo("/var/keys"));
        services.AddSojourn().UseRedis("localhost:6379").WithEncryption(o => o.UseDataProtection());
        #endregion

        #region encryption-switch-on
        builder.UseRedis("localhost:6379").WithEncryption(o => o.AllowPlaintext = true);
        #endregion

        #region encryption-migrating
        builder.UsePostgreSql("Host=localhost;Database=app;Username=app").WithEncryption()
            .MigratingFrom(old => old.UseConnectRedis("localhost:6379"));
        #endregion
    }

    internal static void Health(IServiceCollection services)
    {
        #region health
        services.AddHealthChecks().AddSojourn(tags: ["ready"]);
        #endregion
    }
}

#region conformance
public sealed class MyStoreTests : SessionStoreConformance
{
    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(new MemorySessionStore());
}
#endregion
