using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.Compatibility;
using Sojourn.AspNetCore.DeviceBinding;
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
    public static SojournBuilder AddSojourn(this IServiceCollection services, Action<SojournOptions>? configure = null) => services.Add("", configure);

    /// <summary>
    /// Registers a session beside the default one, such as <c>admin</c>, with its own cookie, path, deadlines and store: an id of one opens nothing in the
    /// other. Options come from the configuration section <c>Sojourn:Sessions:</c><paramref name="name"/>, then from <paramref name="configure"/>; secrets and
    /// the application's name are those of the default session, where none are set. <c>app.UseSojourn("admin")</c> puts it into the pipeline;
    /// <c>[FromKeyedServices("admin")]</c> and <c>context.GetSession("admin")</c> give it to handlers.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="name">The session's name: 1 to 64 letters, digits, <c>-</c> and <c>_</c>.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>A builder that chooses the store of this session.</returns>
    /// <exception cref="ArgumentException">No session can have this name.</exception>
    public static SojournBuilder AddSojourn(this IServiceCollection services, string name, Action<SojournOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return services.Add(name, configure);
    }

    private static SojournBuilder Add(this IServiceCollection services, string name, Action<SojournOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        var builder = services.AddSojournCore(name);
        var options = services.AddOptions<SojournOptions>(name).BindConfiguration(builder.Section);
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<SojournOptions>, EnvironmentDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, EnvironmentDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, BuiltInSessionCheck>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, SideBySideCheck>());
        services.TryAddFor(name, provider => new SessionToken(Options.Options.Create(provider.OptionsFor(name))));
        services.TryAddFor(name, provider => new SessionTokens(
            provider.OptionsFor(name),
            provider.GetRequiredService<IOptionsMonitor<SessionTransportOptions>>().Get(name),
            provider.GetFor<SessionToken>(name),
            provider.GetRequiredService<SessionMetrics>(),
            provider.GetRequiredService<ILogger<SessionTokens>>(),
            ExpressFor(name, provider)));
        services.TryAddFor(name, provider => new SessionServices(
            provider.GetFor<SessionManager>(name),
            provider.GetFor<SessionTokens>(name),
            provider.OptionsFor(name),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<IServiceScopeFactory>(),
            provider.GetRequiredService<ILogger<SessionServices>>(),
            ExpressFor(name, provider),
            provider.FindFor<DeviceBinder>(name)));
        services.TryAddScoped<SessionHolder>();
        services.TryAddKeyedScoped(NamedServices.KeyOf(name), (provider, _) => provider.GetRequiredService<SessionHolder>().Find(name));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, RequirementPolicy>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<OutputCacheOptions>, ServerCaches.Registration>());

        // Controllers without [ApiController] take a parameter of type Session from the services too.
        services.Configure<MvcOptions>(
            static mvc => mvc.ModelMetadataDetailsProviders.Add(new BindingSourceMetadataProvider(typeof(Session), BindingSource.Services)));
        return builder;
    }

    /// <summary>express-session's rules are the default session's alone.</summary>
    private static ExpressRules? ExpressFor(string name, IServiceProvider provider) => name is "" ? provider.GetService<ExpressRules>() : null;
}
