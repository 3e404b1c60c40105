using System.Text.Json.Serialization;

namespace Shop;

/// <summary>A checkout form on its way to be complete.</summary>
public sealed record Draft
{
    public const int MaxLength = 200;

    public static readonly string[] Fields = ["name", "street", "city", "postcode", "delivery", "note"];

    public string? Name { get; init; }

    public string? Street { get; init; }

    public string? City { get; init; }

    public string? Postcode { get; init; }

    public string? Delivery { get; init; }

    public string? Note { get; init; }

    [JsonIgnore]
    public bool HasAddress => !new[] { Name, Street, City, Postcode }.Any(string.IsNullOrWhiteSpace);

    [JsonIgnore]
    public Courier Courier => Courier.All.FirstOrDefault(courier => courier.Id == Delivery) ?? Courier.All[0];

    /// <summary>One field, as it is while the visitor types.</summary>
    public Draft With(string field, string value)
    {
        value = value[..Math.Min(value.Length, MaxLength)];
        return field switch
        {
            "name" => this with { Name = value },
            "street" => this with { Street = value },
            "city" => this with { City = value },
            "postcode" => this with { Postcode = value },
            "delivery" => this with { Delivery = value },
            "note" => this with { Note = value },
            _ => this,
        };
    }

    /// <summary>The fields of one step, as its form is sent.</summary>
    public Draft With(IFormCollection form) => form.Aggregate(this, (draft, field) => draft.With(field.Key, field.Value.ToString()));
}

public sealed record Courier(string Id, string Name, string Promise, decimal Price)
{
    public static readonly IReadOnlyList<Courier> All =
    [
        new("post", "Post", "in three to five days", 4),
        new("bicycle", "Bicycle courier", "tomorrow, before noon", 9),
        new("collect", "Collect at the station", "from this evening", 0),
    ];
}
