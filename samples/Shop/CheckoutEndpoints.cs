using System.Security.Cryptography;
using Microsoft.AspNetCore.Mvc;
using Sojourn;

namespace Shop;

/// <summary>What the checkout's pages send, besides their own forms.</summary>
public static class CheckoutEndpoints
{
    public static void MapCheckout(this IEndpointRouteBuilder app, TimeSpan freshSignIn)
    {
        app.MapPut("/checkout/draft/{field}", KeepField).RequireSignIn();
        app.MapPost("/checkout/order", PlaceOrderAsync).RequireFreshSignIn(freshSignIn, "/confirm?ReturnUrl=/checkout/review");
    }

    /// <summary>What a visitor types is kept field by field, so that a closed tab or a restarted server costs them nothing.</summary>
    private static IResult KeepField(Session session, string field, [FromBody] string value)
    {
        if (!Draft.Fields.Contains(field))
        {
            return Results.Problem(statusCode: 404, title: "The form has no such field.");
        }

        if (!session.Contains("cart"))
        {
            return Results.Problem(statusCode: 409, title: "There is no cart to check out.");
        }

        session.Update<Draft>("checkout", draft => (draft ?? new()).With(field, value));
        return Results.NoContent();
    }

    private static async Task<IResult> PlaceOrderAsync(Session session)
    {
        if (session.Get<Draft>("checkout") is not { HasAddress: true } draft)
        {
            return Results.LocalRedirect(session.Contains("cart") ? "/checkout" : "/order");
        }

        // Of two clicks at once, one takes the cart out of the session; the other finds none, and nothing is bought twice.
        if (await session.PopAsync<Cart>("cart") is { Lines.IsEmpty: false } cart)
        {
            session.Remove("checkout");
            session.Set("order", new Order(RandomNumberGenerator.GetString("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 6), cart, draft));
            session.Flash("notice", "Thank you. Your order is placed.");
        }

        return Results.LocalRedirect("/order");
    }
}
