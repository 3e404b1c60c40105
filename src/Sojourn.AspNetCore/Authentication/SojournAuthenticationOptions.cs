using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>How users sign in to their session.</summary>
public sealed class SojournAuthenticationOptions : AuthenticationSchemeOptions
{
    /// <summary>
    /// Where a visitor who must sign in is sent; <c>/account/login</c> by default. Requests of scripts (<c>X-Requested-With: XMLHttpRequest</c>) and of
    /// endpoints that are no pages (<see cref="Microsoft.AspNetCore.Http.Metadata.IDisableCookieRedirectMetadata"/>) get 401 instead, and so do all with
    /// <see langword="null"/>.
    /// </summary>
    public PathString LoginPath { get; set; } = "/account/login";

    /// <summary>
    /// Where a user who may not is sent; <c>/account/denied</c> by default. Requests that are not sent to <see cref="LoginPath"/> get 403 instead.
    /// </summary>
    public PathString AccessDeniedPath { get; set; } = "/account/denied";

    /// <summary>Where signing out redirects to <see cref="ReturnUrlParameter"/>; none by default.</summary>
    public PathString LogoutPath { get; set; }

    /// <summary>The query parameter that tells the page at <see cref="LoginPath"/> where the visitor wanted to go. <c>ReturnUrl</c> by default.</summary>
    public string ReturnUrlParameter { get; set; } = "ReturnUrl";

    /// <summary>
    /// Which claim is the subject. By default the first there is of <c>sub</c>, <see cref="ClaimTypes.NameIdentifier"/> and <see cref="ClaimTypes.Name"/>.
    /// </summary>
    public Func<ClaimsPrincipal, string?> Subject { get; set; } = UserClaims.Subject;

    /// <summary>
    /// Claims that a session can be found and ended by, as labels of the form <c>type:value</c>. The <c>sid</c> of an OpenID provider by default.
    /// </summary>
    public IList<string> LabelClaims { get; } = ["sid"];

    /// <summary>Whether entries that were set before the sign-in stay, such as a cart. True by default. Entries of another subject never stay.</summary>
    public bool KeepsEntries { get; set; } = true;

    /// <summary>
    /// Whether signing out tells the browser to drop what it keeps of the site (<c>Clear-Site-Data: "cache", "storage"</c>). False by default.
    /// </summary>
    public bool ClearsSiteData { get; set; }

    /// <summary>Called before a sign-in; may change its deadlines, its labels and the like, for this user.</summary>
    public Func<SojournSigningInContext, Task>? OnSigningIn { get; set; }

    /// <summary>
    /// Called for each request of a signed-in session; may reject the user, whose session is then ended, or exchange the principal for this request.
    /// </summary>
    public Func<SojournValidateContext, Task>? OnValidate { get; set; }
}

/// <summary>A sign-in that is about to be done.</summary>
/// <param name="httpContext">The request.</param>
/// <param name="user">Who signs in.</param>
/// <param name="properties">What the caller said of the sign-in.</param>
/// <param name="signIn">How they sign in; to be changed at will.</param>
public sealed class SojournSigningInContext(HttpContext httpContext, ClaimsPrincipal user, AuthenticationProperties properties, SessionSignIn signIn)
{
    /// <summary>The request.</summary>
    public HttpContext HttpContext { get; } = httpContext;

    /// <summary>Who signs in.</summary>
    public ClaimsPrincipal User { get; } = user;

    /// <summary>What the caller said of the sign-in.</summary>
    public AuthenticationProperties Properties { get; } = properties;

    /// <summary>How they sign in; to be changed at will.</summary>
    public SessionSignIn SignIn { get; } = signIn;
}

/// <summary>A request whose session somebody is signed in to.</summary>
/// <param name="httpContext">The request.</param>
/// <param name="session">The session.</param>
/// <param name="principal">Who is signed in.</param>
/// <param name="properties">What was said of the sign-in.</param>
public sealed class SojournValidateContext(HttpContext httpContext, Session session, ClaimsPrincipal principal, AuthenticationProperties properties)
{
    /// <summary>The request.</summary>
    public HttpContext HttpContext { get; } = httpContext;

    /// <summary>The session.</summary>
    public Session Session { get; } = session;

    /// <summary>Who is signed in; may be exchanged for this request.</summary>
    public ClaimsPrincipal Principal { get; set; } = principal;

    /// <summary>What was said of the sign-in.</summary>
    public AuthenticationProperties Properties { get; } = properties;

    internal bool IsRejected { get; private set; }

    /// <summary>The user must not go on: the session is ended, and the request goes on as a stranger's.</summary>
    public void Reject() => IsRejected = true;
}
