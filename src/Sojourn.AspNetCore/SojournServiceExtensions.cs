using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.Compatibility;
using Sojourn.AspNetCore.Transport;
using Sojourn.Diagnostics;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers Sojourn in a web application.</summary>
public static class SojournServiceExtensions
{
    /// <summary>
    /// Registers server-side sessions. Options come from the configuration section <c>Sojourn</c>, then from <paramref name="configure"/>,
    /// and are checked when the application starts. The memory store serves until the builder chooses another.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>A builder that chooses the store.</returns>
    public static SojournBuilder AddSojourn(this IServiceCollection services, Action<SojournOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var builder = services.AddSojournCore();
        var options = services.AddOptions<SojournOptions>().BindConfiguration("Sojourn");
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<SojournOptions>, EnvironmentDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, EnvironmentDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, BuiltInSessionCheck>());
        services.TryAddSingleton<SessionToken>();
        services.TryAddSingleton(static provider => new SessionTokens(
            provider.GetRequiredService<IOptions<SojournOptions>>().Value,
            provider.GetRequiredService<IOptions<SessionTransportOptions>>().Value,
            provider.GetRequiredService<SessionToken>(),
            provider.GetRequiredService<SessionMetrics>(),
            provider.GetRequiredService<ILogger<SessionTokens>>(),
            provider.GetService<ExpressRules>()));
        services.TryAddSingleton<SessionServices>();
        services.TryAddScoped<SessionHolder>();
        services.TryAddScoped(static provider => provider.GetRequiredService<SessionHolder>().Session);

        // Controllers without [ApiController] take a parameter of type Session from the services too.
        services.Configure<MvcOptions>(static mvc => mvc.ModelMetadataDetailsProviders.Add(new BindingSourceMetadataProvider(typeof(Session), BindingSource.Services)));
        return builder;
    }
}
