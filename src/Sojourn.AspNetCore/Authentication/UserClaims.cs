using System.Security.Claims;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>What a user's claims say of the session: whose it is, and what it can be found by.</summary>
internal static class UserClaims
{
    public static string? Subject(ClaimsPrincipal user) =>
        user.FindFirst("sub")?.Value ?? user.FindFirst(ClaimTypes.NameIdentifier)?.Value ?? user.FindFirst(ClaimTypes.Name)?.Value;

    /// <exception cref="InvalidOperationException">No claim tells.</exception>
    public static string RequireSubject(ClaimsPrincipal user, Func<ClaimsPrincipal, string?> subject, string option) =>
        subject(user) ?? throw new InvalidOperationException(
        $"The user has no claim that tells who they are (sub, nameidentifier or name). Add one, or set {option}.");

    public static void AddLabels(SessionSignIn signIn, ClaimsPrincipal user, IEnumerable<string> types)
    {
        foreach (var type in types)
        {
            foreach (var claim in user.FindAll(type))
            {
                signIn.Labels.Add($"{type}:{claim.Value}");
            }
        }
    }
}
