using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore;

/// <summary>What express-session would find out when it writes its first cookie is found out when the application starts.</summary>
internal sealed class ExpressSessionOptionsValidator : IValidateOptions<ExpressSessionOptions>
{
    private static readonly TimeSpan LongestMaxAge = TimeSpan.FromDays(36_500);

    public ValidateOptionsResult Validate(string? name, ExpressSessionOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        if (options.Secrets.Any(secret => secret.Bytes.IsEmpty))
        {
            problems.AddError("Secrets holds an empty secret. Remove it.");
        }

        if (!SojournOptionsValidator.IsToken(options.Name))
        {
            problems.AddError("Name must be a cookie name (RFC 6265: letters, digits and !#$%&'*+-.^_`|~).");
        }

        if (!SojournOptionsValidator.IsIdleTimeout(options.TimeToLive))
        {
            problems.AddError("TimeToLive must be 1 second to 400 days.");
        }

        if (!Enum.IsDefined(options.Unset))
        {
            problems.AddError("Unset must be Keep or Destroy.");
        }

        var cookie = options.Cookie;
        if (cookie.MaxAge is { } maxAge && (maxAge > LongestMaxAge || maxAge < -LongestMaxAge))
        {
            problems.AddError("Cookie.MaxAge must be null, or at most 36,500 days: no date could say when the cookie ends.");
        }

        if (!cookie.Path.StartsWith('/') || !SessionCookie.IsAttribute(cookie.Path))
        {
            problems.AddError("Cookie.Path must start with '/' and hold no ';' or control character.");
        }

        if (cookie.Domain is { } domain && (domain.Length == 0 || !SessionCookie.IsAttribute(domain)))
        {
            problems.AddError("Cookie.Domain must be null or a domain name.");
        }

        if (cookie.Secure is CookieSecure.ByEnvironment)
        {
            problems.AddError("Cookie.Secure must be null, Always, AsRequest ('auto') or Never.");
        }

        if (!Enum.IsDefined(cookie.SameSite) || !Enum.IsDefined(cookie.Priority))
        {
            problems.AddError("Cookie.SameSite and Cookie.Priority must be values of their types.");
        }

        return problems.Build();
    }
}
