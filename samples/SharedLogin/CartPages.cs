using Microsoft.AspNetCore.Mvc;
using Sojourn;
using static System.Net.WebUtility;

namespace SharedLogin;

/// <summary>The cart, which the other application fills in its pages' forms and shows the count of.</summary>
internal static class CartPages
{
    private static readonly Dictionary<string, string> Titles = new(StringComparer.Ordinal)
    {
        ["tide"] = "The Tide Tables",
        ["lamp"] = "A Lamp for the Pier",
        ["knot"] = "Forty Useful Knots",
    };

    public static IResult Show(Session session)
    {
        var lines = (session.Get<string[]>("cart") ?? []).GroupBy(sku => sku)
            .Select(group => $"<li>{HtmlEncode(Titles.GetValueOrDefault(group.Key, group.Key))} <span>× {group.Count()}</span></li>")
            .DefaultIfEmpty("<li>Nothing yet.</li>");
        return Page.Of(session, "Cart", $"""
            <ul class="lines">{string.Concat(lines)}</ul>
            <form method="post" action="/cart/note" class="card">
              <p>Deliver to, as set in the account: <output>{HtmlEncode(session.Get<string>("city") ?? "not said")}</output></p>
              <label>Note for the courier <input name="note" value="{HtmlEncode(session.Get<string>("note") ?? "")}" maxlength="80"></label>
              <button>Keep</button>
            </form>
            """);
    }

    /// <summary>Of clicks that come at once, none is lost: the update is done again on what another request stored meanwhile.</summary>
    public static IResult Add(Session session, [FromForm] string sku)
    {
        if (!Titles.ContainsKey(sku))
        {
            return Results.NotFound();
        }

        session.Update<string[]>("cart", cart => [.. cart ?? [], sku]);
        return Results.LocalRedirect("/cart");
    }

    public static IResult KeepNote(Session session, [FromForm] string? note)
    {
        session.Set("note", note ?? "");
        return Results.LocalRedirect("/cart");
    }

    public static async Task<IResult> SignOutAsync(Session session)
    {
        await session.DestroyAsync();
        return Results.LocalRedirect("/");
    }
}
