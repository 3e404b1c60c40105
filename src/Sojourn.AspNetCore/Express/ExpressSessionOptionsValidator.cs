using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore;

/// <summary>What express-session would find out when it writes its first cookie is found out when the application starts.</summary>
internal sealed class ExpressSessionOptionsValidator : IValidateOptions<ExpressSessionOptions>
{
    public ValidateOptionsResult Validate(string? name, ExpressSessionOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        if (options.Secrets.Any(secret => secret.Bytes.IsEmpty))
        {
            problems.AddError("Secrets holds an empty secret. Remove it.");
        }

        var cookie = options.Cookie;
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
