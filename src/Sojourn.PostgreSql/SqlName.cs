namespace Sojourn.PostgreSql;

/// <summary>Names that stand in statements.</summary>
internal static class SqlName
{
    public static bool IsValid(string? name, int maxLength) =>
        name is { Length: > 0 } && name.Length <= maxLength && name.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');

    public static string Quoted(string name) => $"\"{name}\"";

    /// <summary>Text as a literal.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
