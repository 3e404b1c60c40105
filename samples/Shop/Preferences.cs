using System.Globalization;
using Sojourn;

namespace Shop;

/// <summary>How a visitor likes the shop.</summary>
public sealed record Preferences(string Theme, string Currency)
{
    public static readonly string[] Themes = ["auto", "light", "dark"];

    public static readonly string[] Currencies = ["EUR", "USD", "CZK"];

    public static readonly Preferences Default = new("auto", "EUR");

    public static Preferences Of(Session session) => session.Get<Preferences>("preferences") ?? Default;

    /// <summary>Prices are kept in euro; the rates are fixed, this being a sample.</summary>
    public string Show(decimal euro) => Currency switch
    {
        "USD" => string.Create(CultureInfo.InvariantCulture, $"${euro * 1.10m:N2}"),
        "CZK" => string.Create(CultureInfo.InvariantCulture, $"{decimal.Round(euro * 25):N0} Kč").Replace(',', '\u00a0'),
        _ => string.Create(CultureInfo.InvariantCulture, $"€{euro:N2}"),
    };
}
