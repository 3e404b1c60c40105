using System.Globalization;

namespace Shop;

/// <summary>Devices and times in words that their owner knows them by. A User-Agent proves nothing; it only reminds.</summary>
public static class DeviceWords
{
    // The first that matches: browsers name those that they descend from, too.
    private static readonly (string Token, string Name)[] Browsers =
    [
        ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ];

    private static readonly (string Token, string Name)[] Systems =
    [
        ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"), ("Mac OS X", "a Mac"),
        ("Linux", "Linux"),
    ];

    public static string Of(string? agent)
    {
        string? Find((string Token, string Name)[] names) => names.FirstOrDefault(name => agent?.Contains(name.Token, StringComparison.Ordinal) == true).Name;
        return (Find(Browsers), Find(Systems)) switch
        {
            ({ } browser, { } system) => $"{browser} on {system}",
            ({ } browser, null) => browser,
            (null, { } system) => $"A browser on {system}",
            _ => "A device that does not say what it is",
        };
    }

    /// <summary>No finer than the session notes it.</summary>
    public static string Ago(TimeSpan age) => age switch
    {
        { TotalMinutes: < 10 } => "in the last ten minutes",
        { TotalHours: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalMinutes:0} minutes ago"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalHours:0} hours ago"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{age.TotalDays:0} days ago"),
    };
}
