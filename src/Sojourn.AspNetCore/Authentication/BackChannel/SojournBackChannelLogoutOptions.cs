using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>Whose logout tokens are believed, and what they end.</summary>
public sealed class SojournBackChannelLogoutOptions
{
    /// <summary>The provider, exactly as its tokens say it (<c>iss</c>). Must be set.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The application's id at the provider (<c>aud</c>). Must be set.</summary>
    public string ClientId { get; set; } = "";

    /// <summary>
    /// Gives the provider's public keys, a JSON Web Key Set (RFC 7517) as its <c>jwks_uri</c> has it; called for each request, so it keeps them for a while.
    /// Must be set. RSA keys of 2,048 bits or more (RS256, PS256 and so on) and P-256, P-384 and P-521 keys (ES256, ES384, ES512) count.
    /// </summary>
    public Func<HttpContext, ValueTask<string>>? JsonWebKeys { get; set; }

    /// <summary>
    /// Which subject the provider's <c>sub</c> is here, <see langword="null"/> for nobody; by default the same. Asked where a token names no session
    /// (<c>sid</c>).
    /// </summary>
    public Func<HttpContext, string, ValueTask<string?>> Subject { get; set; } = static (_, sub) => new(sub);

    /// <summary>
    /// The kind of label under which the provider's sessions are found: <c>sid</c> by default, which <see cref="SojournAuthenticationOptions.LabelClaims"/>
    /// sets. Where there are several providers, each has a kind of its own, set by <see cref="SojournAuthenticationOptions.OnSigningIn"/>.
    /// </summary>
    public string LabelKind { get; set; } = "sid";

    /// <summary>
    /// What a token's header may call its type, where it says one: <c>logout+jwt</c> by default. Add <c>JWT</c> for a provider that says no more.
    /// </summary>
    public IList<string> Types { get; } = ["logout+jwt"];

    /// <summary>How old a token may be, by its <c>iat</c>, besides a minute for clocks that differ. 5 minutes by default; 1 second to 30 minutes.</summary>
    public TimeSpan MaxAge { get; set; } = TimeSpan.FromMinutes(5);

    internal void Require(string parameter)
    {
        if (Issuer.Length == 0 || ClientId.Length == 0 || JsonWebKeys is null)
        {
            throw new ArgumentException("MapSojournBackChannelLogout needs Issuer, ClientId and JsonWebKeys: whose tokens are believed.", parameter);
        }

        if (MaxAge < TimeSpan.FromSeconds(1) || MaxAge > TimeSpan.FromMinutes(30))
        {
            throw new ArgumentException("SojournBackChannelLogoutOptions.MaxAge is 1 second to 30 minutes.", parameter);
        }

        SessionLabels.RequireOwn(LabelKind + ":");
    }
}
