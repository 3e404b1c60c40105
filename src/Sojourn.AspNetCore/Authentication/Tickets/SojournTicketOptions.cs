using System.Security.Claims;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>How the tickets of cookie authentication are kept as sessions.</summary>
public sealed class SojournTicketOptions
{
    /// <summary>
    /// Which claim is the session's subject. By default the first there is of <c>sub</c>, <see cref="ClaimTypes.NameIdentifier"/> and
    /// <see cref="ClaimTypes.Name"/>.
    /// </summary>
    public Func<ClaimsPrincipal, string?> Subject { get; set; } = UserClaims.Subject;

    /// <summary>
    /// Claims that a session can be found and ended by, as labels of the form <c>type:value</c>. The <c>sid</c> of an OpenID provider by default.
    /// </summary>
    public IList<string> LabelClaims { get; } = ["sid"];

    /// <summary>Called before a sign-in; may change its deadlines, its labels and the like, for this user.</summary>
    public Func<SojournSigningInContext, Task>? OnSigningIn { get; set; }
}
