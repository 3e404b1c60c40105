using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Ending;
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
    /// <param name="name">
    /// The session's name, where there are several side by side: up to 64 letters, digits, <c>-</c> and <c>_</c>. Its services have the name as their key
    /// (<c>[FromKeyedServices("admin")] SessionManager</c>). The default session has none.
    /// </param>
    /// <returns>A builder that chooses the store.</returns>
    /// <exception cref="ArgumentException">No session can have this name.</exception>
    public static SojournBuilder AddSojournCore(this IServiceCollection services, string name = "")
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length > 64 || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            throw new ArgumentException("A session's name has up to 64 letters, digits, '-' and '_'.", nameof(name));
        }

        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<SessionMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournOptions>, SojournOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, SchemaService>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, PruneService>());
        if (!services.Any(service => service.ImplementationInstance is SessionName other && other.Value == name))
        {
            services.AddSingleton(new SessionName(name));
        }

        services.AddOptions<SojournOptions>(name).Configure(options => options.SessionName = name).ValidateOnStart();
        services.TryAddFor(name, provider => new SessionEvents(
            [.. provider.GetAllFor<ISessionEventHandler>(name), .. provider.GetServices<ISessionListener>().Select(listener => listener.For(name))],
            provider.GetRequiredService<TimeProvider>(),
            (ILogger?)provider.GetService<ILogger<SessionEvents>>() ?? Logging.Abstractions.NullLogger.Instance));
        services.TryAddFor<ISessionAdministration>(name, provider => new SessionAdministration(provider.GetFor<SessionManager>(name)));
        services.TryAddFor(name, provider => new SessionManager(
            provider.GetFor<ISessionStore>(name),
            Options.Options.Create(provider.OptionsFor(name)),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<SessionMetrics>(),
            provider.GetFor<SessionEvents>(name),
            provider.GetFor<SessionWatcher>(name),
            provider.GetService<ILogger<SessionManager>>() ?? Logging.Abstractions.NullLogger<SessionManager>.Instance));
        services.TryAddFor(name, provider => new SessionWatcher(
            provider.GetFor<ISessionStore>(name),
            () => provider.GetFor<SessionManager>(name),
            provider.OptionsFor(name),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<SessionMetrics>(),
            (ILogger?)provider.GetService<ILogger<SessionWatcher>>() ?? Logging.Abstractions.NullLogger.Instance));
        var builder = new SojournBuilder(services, name);
        return services.IsRegisteredFor(typeof(ISessionStore), name) ? builder : builder.UseMemory();
    }
}
