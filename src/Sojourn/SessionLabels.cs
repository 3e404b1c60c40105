namespace Sojourn;

/// <summary>What indexes find records by.</summary>
internal static class SessionLabels
{
    public static string Subject(string subject) => "subject:" + subject;

    public static string Handle(string handle) => "handle:" + handle;
}
