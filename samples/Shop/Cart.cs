using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Shop;

/// <summary>What a visitor means to buy: quantities by product, in the order in which they were added.</summary>
public sealed record Cart(ImmutableList<CartLine> Lines)
{
    public const int MaxQuantity = 99;

    public static readonly Cart Empty = new([]);

    [JsonIgnore]
    public int Count => Lines.Sum(line => line.Quantity);

    [JsonIgnore]
    public decimal Total => Lines.Sum(line => line.Price);

    public Cart Add(string slug) => With(slug, (Lines.Find(line => line.Slug == slug)?.Quantity ?? 0) + 1);

    /// <summary>A quantity of 0 takes the line out.</summary>
    public Cart With(string slug, int quantity)
    {
        var index = Lines.FindIndex(line => line.Slug == slug);
        if (quantity <= 0)
        {
            return index < 0 ? this : new Cart(Lines.RemoveAt(index));
        }

        var line = new CartLine(slug, Math.Min(quantity, MaxQuantity));
        return new Cart(index < 0 ? Lines.Add(line) : Lines.SetItem(index, line));
    }
}

public sealed record CartLine(string Slug, int Quantity)
{
    [JsonIgnore]
    public Product? Product => Catalogue.Find(Slug);

    [JsonIgnore]
    public decimal Price => Quantity * (Product?.Price ?? 0);
}

/// <summary>What was bought.</summary>
public sealed record Order(string Number, Cart Cart, Draft Draft)
{
    [JsonIgnore]
    public decimal Total => Cart.Total + Draft.Courier.Price;
}
