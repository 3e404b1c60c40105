using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Sojourn.Events;
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

    /// <summary>
    /// Moves sessions from the store that was used so far to the one chosen before this call, while they are used: nobody is signed out. Any two stores and
    /// layouts go together; <see cref="MigratingStore"/> tells how to change over without stopping.
    /// </summary>
    /// <param name="oldStore">Chooses the old store, as it was chosen: <c>old => old.UseConnectRedis("localhost")</c>.</param>
    /// <returns>This builder.</returns>
    public SojournBuilder MigratingFrom(Action<SojournBuilder> oldStore)
    {
        ArgumentNullException.ThrowIfNull(oldStore);
        var to = StoreFactory();
        oldStore(this);
        var from = StoreFactory();
        return UseStore(services => new MigratingStore(
            (ISessionStore)from(services),
            (ISessionStore)to(services),
            services.GetRequiredService<IOptions<SojournOptions>>().Value.ApplicationName,
            services.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Has what happens to sessions told to a handler. Several may be added.</summary>
    /// <typeparam name="T">The handler: one instance for the application.</typeparam>
    /// <returns>This builder.</returns>
    public SojournBuilder AddEventHandler<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>()
        where T : class, ISessionEventHandler
    {
        Services.AddSingleton<ISessionEventHandler, T>();
        return this;
    }

    /// <summary>
    /// Keeps what happens to sessions in a <see cref="SessionEventChannel"/> for a reader of the application's own, such as a background service, which takes the channel from the
    /// application's services.
    /// </summary>
    /// <param name="capacity">How many events are kept at the most; the oldest are dropped then. 10,000 by default; 1 or more.</param>
    /// <returns>This builder.</returns>
    public SojournBuilder AddEventChannel(int capacity = 10_000)
    {
        var channel = new SessionEventChannel(capacity);
        Services.AddSingleton(channel);
        Services.AddSingleton<ISessionEventHandler>(channel);
        return this;
    }

    private Func<IServiceProvider, object> StoreFactory() =>
        Services.Last(service => service.ServiceType == typeof(ISessionStore)).ImplementationFactory
        ?? throw new InvalidOperationException("Choose both stores by verbs of this builder, such as UseRedis or UseStore.");
}
