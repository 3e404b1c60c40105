using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Events;
using Sojourn.Storage;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the engine.</summary>
public static class SojournCoreExtensions
{
    /// <summary>
    /// Registers the engine alone: <see cref="SessionManager"/> over the memory store, for programs that are no web applications.
    /// Web applications call <c>AddSojourn</c> of the package <c>Sojourn.AspNetCore</c>.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <returns>A builder that chooses the store.</returns>
    public static SojournBuilder AddSojournCore(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<SessionMetrics>();
        services.TryAddSingleton(provider => new SessionEvents(
            provider.GetServices<ISessionEventHandler>(),
            provider.GetRequiredService<TimeProvider>(),
            (ILogger?)provider.GetService<ILogger<SessionEvents>>() ?? Logging.Abstractions.NullLogger.Instance));
        services.TryAddSingleton<ISessionAdministration>(provider => new SessionAdministration(provider.GetRequiredService<SessionManager>()));
        services.TryAddSingleton(provider => new SessionManager(
            provider.GetRequiredService<ISessionStore>(),
            provider.GetRequiredService<IOptions<SojournOptions>>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<SessionMetrics>(),
            provider.GetRequiredService<SessionEvents>(),
            provider.GetService<ILogger<SessionManager>>() ?? Logging.Abstractions.NullLogger<SessionManager>.Instance));
        services.AddOptions<SojournOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, SojournOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, SchemaService>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, PruneService>());
        var builder = new SojournBuilder(services);
        return services.Any(service => service.ServiceType == typeof(ISessionStore)) ? builder : builder.UseMemory();
    }
}
