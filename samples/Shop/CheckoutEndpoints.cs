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

        // Closes when the session ends, wherever it is ended. That a page is open is no activity of the user's.
        app.MapGet("/order/feed", (Session session, OrderFeed feed) => TypedResults.ServerSentEvents(feed.OfAsync(session.Subject!).UntilEnded(session)))
            .RequireSignIn()
            .WithoutActivity();
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

    private static async Task<IResult> PlaceOrderAsync(Session session, OrderFeed feed)
    {
        if (session.Get<Draft>("checkout") is not { HasAddress: true } draft)
        {
            return Results.LocalRedirect(session.Contains("cart") ? "/checkout" : "/order");
        }

        // Of two clicks at once, one takes the cart out of the session; the other finds none, and nothing is bought twice.
        if (await session.PopAsync<Cart>("cart") is { Lines.IsEmpty: false } cart)
        {
            session.Remove("checkout");
            var order = new Order(RandomNumberGenerator.GetString("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 6), cart, draft);
            session.Set("order", order);
            session.Flash("notice", "Thank you. Your order is placed.");
            feed.Tell(session.Subject!, $"Order {order.Number} is placed: {Preferences.Of(session).Show(order.Total)}.");
        }

        return Results.LocalRedirect("/order");
    }
}
