using System.Globalization;

namespace Sojourn.Tool.Stores;

/// <summary>The parts of user:password@host:port,host:port/path?name=value, each decoded; with several hosts, which Uri does not take.</summary>
internal sealed class StoreUrl
{
    public StoreUrl(string text)
    {
        var query = Split(ref text, '?', fromEnd: false);
        Path = Uri.UnescapeDataString(Split(ref text, '/', fromEnd: false) ?? "");
        var hosts = Split(ref text, '@', fromEnd: true);
        if (hosts is not null)
        {
            var password = Split(ref text, ':', fromEnd: false);
            (User, Password, text) = (Uri.UnescapeDataString(text), password is null ? null : Uri.UnescapeDataString(password), hosts);
        }

        Hosts = text;
        Settings = [.. (query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries).Select(static setting => setting.Split('=', 2))
            .Select(static setting => (Uri.UnescapeDataString(setting[0]), Uri.UnescapeDataString(setting.ElementAtOrDefault(1) ?? "")))];
        var colon = text.LastIndexOf(':');
        Host = text;
        if (!text.Contains(',', StringComparison.Ordinal) && colon > text.LastIndexOf(']'))
        {
            (Host, Port) = (text[..colon], int.Parse(text.AsSpan(colon + 1), CultureInfo.InvariantCulture));
        }
    }

    public string? User { get; }

    public string? Password { get; }

    /// <summary>All of them, with their ports.</summary>
    public string Hosts { get; }

    /// <summary>The one host, without its port.</summary>
    public string Host { get; }

    /// <summary>The one host's port, where it says one.</summary>
    public int? Port { get; }

    public string Path { get; }

    public IReadOnlyList<(string Name, string Value)> Settings { get; }

    /// <summary>Cuts what comes after a character off the text; null when it is not there.</summary>
    private static string? Split(ref string text, char at, bool fromEnd)
    {
        var index = fromEnd ? text.LastIndexOf(at) : text.IndexOf(at, StringComparison.Ordinal);
        if (index < 0)
        {
            return null;
        }

        var rest = text[(index + 1)..];
        text = text[..index];
        return rest;
    }
}
