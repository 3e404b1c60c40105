namespace Sojourn.AspNetCore.Authentication;

/// <summary>Names of the authentication scheme.</summary>
public static class SojournAuthenticationDefaults
{
    /// <summary>What the scheme is called unless <c>AddSojourn</c> is given another name.</summary>
    public const string AuthenticationScheme = "Sojourn";
}
