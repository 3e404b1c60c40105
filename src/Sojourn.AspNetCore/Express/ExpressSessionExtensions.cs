using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.AspNetCore;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Sojourn with express-session's options, defaults, cookie, id and document.</summary>
public static class ExpressSessionExtensions
{
    /// <summary>
    /// Registers server-side sessions as express-session 1.19 keeps them, on Sojourn's engine and with its guarantees: for applications that move
    /// from Node, or share sessions with one. <c>app.UseSojourn()</c> puts them into the pipeline. Checked when the application starts.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>A builder that chooses the store.</returns>
    public static SojournBuilder AddExpressSession(this IServiceCollection services, Action<ExpressSessionOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.Configure(configure);
        services.TryAddSingleton<ExpressRules>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ExpressSessionOptions>, ExpressSessionOptionsValidator>());
        services.AddOptions<SojournOptions>().Configure<IOptions<ExpressSessionOptions>>(static (options, express) => Translate(express.Value, options));
        return services.AddSojourn();
    }

    private static void Translate(ExpressSessionOptions from, SojournOptions to)
    {
        to.IsExpress = true;
        to.SecretKeys = from.Secrets.Count > 0 ? [.. from.Secrets.Select(secret => secret.Bytes.ToArray())] : null;
        to.Resave = from.Resave;
        to.SaveUninitialized = from.SaveUninitialized;
        to.Rolling = from.Rolling;
        to.Unset = from.Unset;
        to.CommitOnException = true;
        (to.IdleTimeout, to.IsTimeToLiveSet) = (from.TimeToLive, from.IsTimeToLiveSet);
        to.AbsoluteTimeout = null;
        to.TouchInterval = TimeSpan.Zero;
        to.Cookie.Name = from.Name;

        // The attributes themselves come from ExpressRules, request by request.
        to.Cookie.Secure = CookieSecure.AsRequest;
        to.Cookie.SameSite = SessionSameSite.Unset;
    }
}
