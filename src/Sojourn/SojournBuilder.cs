using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>What <c>AddSojourn</c> returns: its verbs choose the store and what is wrapped around it.</summary>
public sealed class SojournBuilder
{
    /// <summary>Makes a builder over a service collection.</summary>
    /// <param name="services">The application's services.</param>
    public SojournBuilder(IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        Services = services;
    }

    /// <summary>The application's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Keeps sessions in the given store; the last call counts. One instance serves the whole application.</summary>
    /// <param name="factory">Makes the store, once.</param>
    /// <returns>This builder.</returns>
    public SojournBuilder UseStore(Func<IServiceProvider, ISessionStore> factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        Services.Replace(ServiceDescriptor.Singleton(factory));
        return this;
    }
}
