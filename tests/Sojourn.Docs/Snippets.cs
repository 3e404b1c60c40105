using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
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
        await session.RenewIdAsync("user-42");   // signed in: new id, same data, subject set
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

    public static void Stores(SojournBuilder builder)
    {
        #region stores
        builder.UseMemory(o => o.MaxSessions = 100_000);
        builder.UseSqlite("Data Source=sessions.db", o => o.Durability = SqliteDurability.Normal);
        builder.UseStore(services => new MemorySessionStore());
        #endregion
    }
}

#region conformance
public sealed class MyStoreTests : SessionStoreConformance
{
    protected override ValueTask<ISessionStore> CreateAsync() => new(new MemorySessionStore());
}
#endregion
