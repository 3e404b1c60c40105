namespace Sojourn.AspNetCore;

/// <summary>
/// Lets a request through only if its session has certain entries, such as the one that sign-in sets: the guard of a NestJS application. Others get
/// 401 problem details (<c>urn:sojourn:session-required</c>), or are sent to a page.
/// </summary>
/// <param name="entries">The names of the entries; without any, a session that an earlier request has stored is enough.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
public sealed class RequireSessionAttribute(params string[] entries) : SessionRequirementAttribute
{
    /// <summary>The names of the entries.</summary>
    public IReadOnlyList<string> Entries { get; } = Array.TrueForAll(entries, static entry => !string.IsNullOrEmpty(entry))
        ? entries
        : throw new ArgumentException("An entry has a name.", nameof(entries));

    private protected override string Type => "urn:sojourn:session-required";

    private protected override string Title => "This needs a session that has signed in.";

    internal override bool IsMetBy(Sojourn.Session session, TimeProvider time)
    {
        if (session.IsNew)
        {
            return false;
        }

        foreach (var entry in Entries)
        {
            if (!session.Contains(entry))
            {
                return false;
            }
        }

        return true;
    }
}
