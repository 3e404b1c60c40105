using Microsoft.Extensions.Primitives;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// The little that is needed of structured field values (RFC 9651). The specification quotes texts and browsers send them bare: both are read.
/// </summary>
internal static class StructuredHeader
{
    /// <summary>A header that is one text; <see langword="null"/> where it is none, or comes twice.</summary>
    public static string? TextOf(StringValues header) => header.Count == 1 ? Unquote(header[0]!) : null;

    /// <summary>The first token of a list whose parameter has this value, as in <c>server_error;session_identifier="…"</c>.</summary>
    public static string? TokenWith(StringValues header, string parameter, string value)
    {
        foreach (var line in header)
        {
            foreach (var member in (line ?? "").Split(','))
            {
                var parts = member.Split(';', StringSplitOptions.TrimEntries);
                for (var i = 1; i < parts.Length; i++)
                {
                    var equals = parts[i].IndexOf('=', StringComparison.Ordinal);
                    if (equals > 0 && parts[i].AsSpan(0, equals).SequenceEqual(parameter) && Unquote(parts[i][(equals + 1)..]) == value)
                    {
                        return parts[0];
                    }
                }
            }
        }

        return null;
    }

    private static string? Unquote(string text)
    {
        text = text.Trim();
        if (text.Length >= 2 && text[0] == '"' && text[^1] == '"')
        {
            text = text[1..^1];
        }

        return text.Length == 0 || text.AsSpan().ContainsAny('"', '\\') ? null : text;
    }
}
