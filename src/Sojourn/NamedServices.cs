using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Sojourn;

/// <summary>The name of one of the sessions that are registered; the default session's is empty.</summary>
internal sealed record SessionName(string Value);

/// <summary>What belongs to one session is registered with its name as the key; what belongs to the default session, without a key.</summary>
internal static class NamedServices
{
    public static object? KeyOf(string name) => name is "" ? null : name;

    public static void TryAddFor<T>(this IServiceCollection services, string name, Func<IServiceProvider, T> factory)
        where T : class => services.TryAddKeyedSingleton(KeyOf(name), (provider, _) => factory(provider));

    public static T GetFor<T>(this IServiceProvider provider, string name)
        where T : notnull => name is "" ? provider.GetRequiredService<T>() : provider.GetRequiredKeyedService<T>(name);

    /// <summary>What a session may have and need not.</summary>
    public static T? FindFor<T>(this IServiceProvider provider, string name)
        where T : class => name is "" ? provider.GetService<T>() : provider.GetKeyedService<T>(name);

    public static IEnumerable<T> GetAllFor<T>(this IServiceProvider provider, string name)
        where T : notnull => name is "" ? provider.GetServices<T>() : provider.GetKeyedServices<T>(name);

    public static SojournOptions OptionsFor(this IServiceProvider provider, string name) =>
        name is "" ? provider.GetRequiredService<IOptions<SojournOptions>>().Value : provider.GetRequiredService<IOptionsMonitor<SojournOptions>>().Get(name);

    public static bool IsRegisteredFor(this IServiceCollection services, Type service, string name) =>
        services.Any(descriptor => descriptor.ServiceType == service && Equals(descriptor.ServiceKey, KeyOf(name)));
}
