using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>Fills in what follows from the session's own options, and checks that browsers will bind what comes out.</summary>
internal sealed class DeviceBindingDefaults(
    IHostEnvironment environment, IServiceProvider services) : IPostConfigureOptions<DeviceBindingOptions>, IValidateOptions<DeviceBindingOptions>
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public void PostConfigure(string? name, DeviceBindingOptions options)
    {
        var session = services.OptionsFor(name ?? "");
        options.CookieName ??= session.Cookie.Name + "b";
        options.Path ??= session.Cookie.Path.TrimEnd('/') + "/session/binding" + (session.SessionName is "" ? "" : "/" + session.SessionName);
    }

    public ValidateOptionsResult Validate(string? name, DeviceBindingOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                problems.AddError(problem);
            }
        }

        var session = services.OptionsFor(name ?? "");
        var cookie = session.Cookie;
        var shortest = environment.IsDevelopment() ? Second : TimeSpan.FromMinutes(5);
        Require(Enum.IsDefined(options.Policy), "DeviceBinding.Policy must be Optional or Required.");
        Require(
            options.CookieLifetime >= shortest && options.CookieLifetime <= TimeSpan.FromHours(1),
            "DeviceBinding.CookieLifetime must be 5 minutes to 1 hour: browsers sign some six times in nine minutes, and a copied cookie is good for so long. "
            + "(In Development from 1 second on.)");
        Require(
            options.ChallengeLifetime >= Second && options.ChallengeLifetime <= TimeSpan.FromMinutes(5),
            "DeviceBinding.ChallengeLifetime must be 1 second to 5 minutes.");
        Require(
            options.RegistrationTime >= Second && options.RegistrationTime <= TimeSpan.FromMinutes(10),
            "DeviceBinding.RegistrationTime must be 1 second to 10 minutes.");
        Require(!session.IsExpress, "WithDeviceBinding does not go with AddExpressSession: express-session's cookies cannot be bound. Use AddSojourn.");
        Require(!cookie.Partitioned, "WithDeviceBinding does not go with Cookie.Partitioned: browsers bind no partitioned cookie. Set it to false.");
        Require(cookie.Domain is null, "WithDeviceBinding binds sessions of one host. Leave Cookie.Domain null.");
        Require(cookie.Secure != CookieSecure.Never, "WithDeviceBinding needs https. Let Cookie.Secure be ByEnvironment or Always.");
        Require(
            SojournOptionsValidator.IsToken(options.CookieName!),
            "DeviceBinding.CookieName must be a cookie name (RFC 6265: letters, digits and !#$%&'*+-.^_`|~).");
        Require(
            !options.CookieName!.StartsWith("__Host-Http-", StringComparison.OrdinalIgnoreCase),
            "DeviceBinding.CookieName must not begin with __Host-Http-: Chromium does not bind such a cookie. __Host- alone is bound.");
        Require(
            cookie.Path == "/" || !options.CookieName!.StartsWith("__Host-", StringComparison.OrdinalIgnoreCase),
            "A DeviceBinding.CookieName that begins with __Host- needs Cookie.Path '/' (RFC 6265bis, 4.1.3); or take another CookieName.");
        Require(
            services.GetServices<SessionName>().All(
                other => !string.Equals(services.OptionsFor(other.Value).Cookie.Name, options.CookieName, StringComparison.OrdinalIgnoreCase)),
            "DeviceBinding.CookieName is the name of a session's cookie. Set it to another name.");
        Require(
            options.Path!.StartsWith('/')
                && options.Path.All(static c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or '~')
                && options.Path.StartsWith(cookie.Path, StringComparison.Ordinal),
            "DeviceBinding.Path must begin with Cookie.Path, so that the cookie is sent there, and hold only letters, digits and /-_.~");
        return problems.Build();
    }
}
