namespace Sojourn;

/// <summary>What indexes find records by.</summary>
internal static class SessionLabels
{
    private const int MaxLength = 256;

    public static string Subject(string subject) => "subject:" + subject;

    public static string Handle(string handle) => "handle:" + handle;

    public static bool IsSubject(string text) => text.Length is > 0 and <= MaxLength && !text.Contains('\0', StringComparison.Ordinal);

    /// <exception cref="ArgumentException">The subject is empty or too long, or holds NUL, which not every database takes.</exception>
    public static void RequireSubject(string subject)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        if (!IsSubject(subject))
        {
            throw new ArgumentException("A subject has 1 to 256 characters, and none of them is NUL.", nameof(subject));
        }
    }

    /// <exception cref="ArgumentException">The application cannot label a session so.</exception>
    public static void RequireOwn(string label)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        if (label.Length > MaxLength
            || label.Contains('\0', StringComparison.Ordinal)
            || label.IndexOf(':', StringComparison.Ordinal) < 1
            || label.StartsWith("subject:", StringComparison.Ordinal)
            || label.StartsWith("handle:", StringComparison.Ordinal))
        {
            throw new ArgumentException(
                "A label of the application's has the form kind:value, up to 256 characters without NUL, and its kind is neither subject nor handle.",
                nameof(label));
        }
    }
}
