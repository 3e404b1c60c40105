namespace Shop;

/// <summary>Something to buy. The picture is the inside of an SVG of 48 by 48, drawn in lines; the hue colours what is behind it.</summary>
public sealed record Product(string Slug, string Name, decimal Price, int Hue, string Line, string Text, string Picture);

public static class Catalogue
{
    public static readonly IReadOnlyList<Product> Products =
    [
        new("duffel", "Canvas duffel", 89, 24, "Forty litres, two handles, no wheels",
            "Waxed cotton canvas that shrugs off a wet platform. It opens wide, folds flat under a bunk, and gets better looking every year.",
            """<rect x="7" y="19" width="34" height="18" rx="6"/><path d="M16 19v-3a8 8 0 0 1 16 0v3M15 19v18M33 19v18M22 28h4"/>"""),
        new("mug", "Enamel mug", 14.50m, 200, "Coffee, soup, paint water",
            "Steel under two coats of enamel. Put it on a stove, drop it on a rock, hang it from a strap; the chips are yours to earn.",
            """<path d="M11 15h20v18a4 4 0 0 1-4 4H15a4 4 0 0 1-4-4zM31 19h3a5 5 0 0 1 0 12h-3M17 5q-2 2.500 0 5M24 5q-2 2.500 0 5"/>"""),
        new("notebook", "Field notebook", 12, 140, "Lies flat, takes ink",
            "Ninety-six pages of dotted paper, sewn so that it stays open on your knee. The back pocket keeps tickets and pressed leaves.",
            """<rect x="11" y="7" width="26" height="34" rx="3"/><path d="M17 7v34M22 16h10M22 22h10M22 28h6"/>"""),
        new("compass", "Brass compass", 46, 42, "Still works where maps do not load",
            "A liquid-damped needle in a case that fits a watch pocket. It has one moving part, and it knows one thing.",
            """<circle cx="24" cy="26" r="15"/><path d="M24 11V6M21 6h6M30 20l-4 8-8 4 4-8z"/>"""),
        new("blanket", "Wool blanket", 74, 350, "Warm on trains, benches, hillsides",
            "Woven from undyed wool in a mill that has done little else for a century. Big enough for two who get along.",
            """<rect x="8" y="12" width="32" height="24" rx="2"/><path d="M8 19h32M8 29h32M13 36v4M19 36v4M24 36v4M29 36v4M35 36v4"/>"""),
        new("lantern", "Pocket lantern", 32, 55, "Twelve hours of warm light",
            "A small light the colour of a candle, dimmed by a twist of its top. Charges while you have lunch.",
            """<path d="M17 18h14l2 20H15zM19 18v-4h10v4M20 14a4 5 0 0 1 8 0M24 23q-5 5 0 9 5-4 0-9zM13 38h22"/>"""),
        new("flask", "Steel flask", 28, 180, "Hot for a day, cold for two",
            "Three quarters of a litre behind two walls of steel. The lid is a cup; the cup is a lid.",
            """<path d="M18 14h12v4q4 2 4 6v14a4 4 0 0 1-4 4H18a4 4 0 0 1-4-4V24q0-4 4-6zM19 6h10v8H19zM14 30h20"/>"""),
        new("map", "Paper map", 9, 95, "Needs no battery, folds eventually",
            "The whole coast at one to a hundred thousand, on paper that survives rain. Marginal notes are encouraged.",
            """<path d="M7 13l11-4 12 4 11-4v26l-11 4-12-4-11 4zM18 9v26M30 13v26M11 27q4-6 7-2t8-4"/>"""),
        new("hat", "Sun hat", 36, 32, "A wide brim and a long cord",
            "Cotton that you can crush into a pocket and shake out again. The cord is for ferries.",
            """<path d="M14 28q0-16 10-16t10 16M14 28q10 4 20 0M14 28q-9 1-9 4 8 6 19 6t19-6q0-3-9-4M20 37q1 5 4 5t4-5"/>"""),
        new("knife", "Folding knife", 39, 10, "Bread, cheese, string",
            "A carbon steel blade and a beech handle with a ring that locks. Keep it dry and it will outlast you.",
            """<path d="M6 35l20-12 4 6-19 11a4 4 0 0 1-5-5zM26 23l14-15q3 9-10 21zM13 34h.010M20 30h.010"/>"""),
        new("radio", "Pocket radio", 54, 265, "Whoever is on air tonight",
            "Medium wave and FM, one dial, one good speaker. There is no better way to find out where you are.",
            """<rect x="7" y="17" width="34" height="22" rx="4"/><circle cx="17" cy="28" r="6"/><path d="M12 17L32 7M28 24h8M28 29h8M28 34h4"/>"""),
        new("postcards", "Twelve postcards", 11, 320, "Somebody is waiting for one",
            "Twelve drawings of places between places, on heavy card. Stamps are not included; something to say usually is.",
            """<rect x="6" y="15" width="32" height="22" rx="2"/><path d="M11 15v-4h31v21h-4M22 20v12M26 25h8M26 30h8M11 21h6v6h-6z"/>"""),
    ];

    public static Product? Find(string slug) => Products.FirstOrDefault(product => product.Slug == slug);
}
