namespace Sojourn.Document;

/// <summary>Which names an entry can have. The others belong to Sojourn, to express-session, or to JavaScript.</summary>
internal static class EntryName
{
    public const int MaxLength = 256;

    public static bool IsReserved(ReadOnlySpan<char> name) => name is "" or "cookie" or "__proto__" or "_sojourn" || name[0] == '$';

    public static void Require(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length > MaxLength || IsReserved(name))
        {
            throw new ArgumentException(
                $"An entry's name has 1 to {MaxLength} characters, does not start with '$', and is not 'cookie', '__proto__' or '_sojourn'.", nameof(name));
        }
    }
}
