using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Compatibility;

/// <summary>ASP.NET Core's own session beside ours would set a second cookie, and take HttpContext.Session away: refused at start.</summary>
internal sealed class BuiltInSessionCheck(IServiceProviderIsService services) : IValidateOptions<SojournOptions>
{
    public ValidateOptionsResult Validate(string? name, SojournOptions options) =>
        services.IsService(typeof(Microsoft.AspNetCore.Session.ISessionStore))
            ? ValidateOptionsResult.Fail(
                "AddSession is registered as well as Sojourn. Remove services.AddSession() and app.UseSession(): Sojourn serves HttpContext.Session.")
            : ValidateOptionsResult.Success;
}
