using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sojourn.Diagnostics;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Storage.Encryption;
using Sojourn.Storage.NearCache;

namespace Sojourn;

/// <summary>What <c>AddSojourn</c> returns: its verbs choose the store and what is wrapped around it.</summary>
public sealed class SojournBuilder
{
    private bool _isEncrypted;
    private bool _hasNearCache;

    /// <summary>Makes a builder over a service collection.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="name">The session's name; empty for the default session.</param>
    public SojournBuilder(IServiceCollection services, string name = "")
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        (Services, Name, Section) = (services, name, name is "" ? "Sojourn" : "Sojourn:Sessions:" + name);
    }

    /// <summary>A builder of a second store of the same session, whose verbs have options of their own: the two may be of one kind.</summary>
    private SojournBuilder(SojournBuilder first) =>
        (Services, Name, Section) = (first.Services, $"{first.Name}:{nameof(MigratingFrom)}:{first.Services.Count}", first.Section);

    /// <summary>The application's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>
    /// The name of the session that is built; empty for the default session. A verb that has options of its own keeps them under this name
    /// (<c>AddOptions&lt;T&gt;(builder.Name)</c>), so that sessions side by side have theirs.
    /// </summary>
    public string Name { get; }

    /// <summary>Where the configuration speaks of this session.</summary>
    internal string Section { get; }

    /// <summary>Keeps sessions in the given store; the last call counts. One instance serves all requests.</summary>
    /// <param name="factory">Makes the store, once.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">
    /// <see cref="WithEncryption"/> or <see cref="WithNearCache"/> was called before, and would be left out.
    /// </exception>
    public SojournBuilder UseStore(Func<IServiceProvider, ISessionStore> factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        RequireNoNearCache("the verb that chooses the store");
        if (_isEncrypted)
        {
            throw new InvalidOperationException(
                "WithEncryption seals the store that was chosen before it, and this one would take its place. Call WithEncryption after the verb that chooses "
                + "the store.");
        }

        return Replace(factory);
    }

    /// <summary>
    /// Moves sessions from the store that was used so far to the one chosen before this call, while they are used: nobody is signed out. Any two stores and
    /// layouts go together; <see cref="MigratingStore"/> tells how to change over without stopping.
    /// </summary>
    /// <param name="oldStore">Chooses the old store, as it was chosen: <c>old => old.UseConnectRedis("localhost")</c>.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">One of the two stores has a near cache.</exception>
    public SojournBuilder MigratingFrom(Action<SojournBuilder> oldStore)
    {
        ArgumentNullException.ThrowIfNull(oldStore);
        RequireNoNearCache(nameof(MigratingFrom));
        var to = StoreFactory();
        var old = new SojournBuilder(this);
        oldStore(old);
        old.RequireNoNearCache(nameof(MigratingFrom));
        var from = old.StoreFactory();
        return Replace(services => new MigratingStore(
            (ISessionStore)from(services),
            (ISessionStore)to(services),
            services.OptionsFor(Name).KeyScope,
            services.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Has what happens to the sessions of this name told to a handler. Several may be added.</summary>
    /// <typeparam name="T">The handler: one instance for the application.</typeparam>
    /// <returns>This builder.</returns>
    public SojournBuilder AddEventHandler<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>()
        where T : class, ISessionEventHandler
    {
        Services.AddKeyedSingleton<ISessionEventHandler, T>(NamedServices.KeyOf(Name));
        return this;
    }

    /// <summary>
    /// Keeps what happens to sessions in a <see cref="SessionEventChannel"/> for a reader of the application's own, such as a background service, which takes
    /// the channel from the application's services.
    /// </summary>
    /// <param name="capacity">How many events are kept at the most; the oldest are dropped then. 10,000 by default; 1 or more.</param>
    /// <returns>This builder.</returns>
    public SojournBuilder AddEventChannel(int capacity = 10_000)
    {
        var channel = new SessionEventChannel(capacity);
        Services.AddKeyedSingleton(NamedServices.KeyOf(Name), channel);
        Services.AddKeyedSingleton<ISessionEventHandler>(NamedServices.KeyOf(Name), channel);
        return this;
    }

    /// <summary>
    /// Seals the documents of the store chosen before this call with AES-256-GCM, each bound to the key that its record is filed under. What does not open,
    /// because it was altered, moved to another key, sealed by an unknown key or never sealed, is refused: the visitor goes on with a new session, the record
    /// is kept, an error is logged and the metric <c>sojourn.documents.refused</c> counts it.
    /// </summary>
    /// <remarks>
    /// Native layouts only: those of npm stores must stay readable for Node. Labels and expiries stay in clear, since the database works with them.
    /// </remarks>
    /// <param name="configure">
    /// Sets the keys, after the configuration section <c>Sojourn:Encryption</c> (<c>Sojourn:Sessions:</c>name<c>:Encryption</c> for a named session); nothing
    /// when <see langword="null"/>.
    /// </param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException"><see cref="WithNearCache"/> was called before.</exception>
    /// <exception cref="OptionsValidationException">At start: there is no key, or one is malformed; the store has the layout of an npm store.</exception>
    public SojournBuilder WithEncryption(Action<SessionEncryptionOptions>? configure = null)
    {
        RequireNoNearCache(nameof(WithEncryption));
        var inner = StoreFactory();

        // Each call has options of its own: the two stores of a migration may have different keys.
        var name = $"{nameof(WithEncryption)}:{Services.Count}";
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SessionEncryptionOptions>, SessionEncryptionOptionsValidator>());
        Services.AddOptions<SessionEncryptionOptions>(name)
            .Configure<IServiceProvider>((options, services) =>
            {
                services.GetService<IConfiguration>()?.GetSection(Section + ":Encryption").Bind(options);
                configure?.Invoke(options);
            })
            .ValidateOnStart();
        _isEncrypted = true;
        return Replace(services =>
        {
            var options = services.GetRequiredService<IOptionsMonitor<SessionEncryptionOptions>>().Get(name);
            var given = new GivenKeys(options.Keys);
            return new EncryptingStore(
                (ISessionStore)inner(services),
                options.KeySource?.Invoke(services, given) ?? given,
                options.AllowPlaintext,
                services.GetRequiredService<SessionMetrics>(),
                services.GetService<ILogger<EncryptingStore>>() ?? NullLogger<EncryptingStore>.Instance);
        });
    }

    /// <summary>
    /// Keeps copies of sessions in this process, in front of what was chosen before this call, and begins requests from them while they are young: most
    /// requests then cost no store call. Called last.
    /// </summary>
    /// <remarks>
    /// <para>Writes are what they are without: compare-and-swap in the store, so that a request that began from an old copy loses nobody's change and revives
    /// nothing. What another process changed or ended is seen when the store tells of it (Redis and PostgreSQL with <c>Notifications</c> set, listened to where
    /// the application runs as a host), and else when the copy is as old as it may be. What this process changed or ended is seen at once.
    /// <see cref="Session.ReloadAsync"/>, exclusive sessions, sign-in and renewal read the store itself.</para>
    /// <para>Copies are of opened documents, whatever is sealed in the store.</para>
    /// </remarks>
    /// <param name="maxStaleness">
    /// How old a copy may be that a request is served from: <see cref="NearCacheOptions.MaxStaleness"/>. More than zero, up to 5 minutes; when
    /// <see langword="null"/>, what the configuration section <c>Sojourn:NearCache</c> (<c>Sojourn:Sessions:</c>name<c>:NearCache</c> for a named session)
    /// says, or 2 seconds.
    /// </param>
    /// <param name="configure">Sets the bounds; the section's, or the defaults, when <see langword="null"/>.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public SojournBuilder WithNearCache(TimeSpan? maxStaleness = null, Action<NearCacheOptions>? configure = null)
    {
        RequireNoNearCache(nameof(WithNearCache));
        var inner = StoreFactory();
        _hasNearCache = true;
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<NearCacheOptions>, NearCacheOptionsValidator>());
        Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, NearCacheService>());
        Services.AddOptions<NearCacheOptions>(Name)
            .Configure<IServiceProvider>((options, services) =>
            {
                services.GetService<IConfiguration>()?.GetSection(Section + ":NearCache").Bind(options);
                options.MaxStaleness = maxStaleness ?? options.MaxStaleness;
                configure?.Invoke(options);
            })
            .ValidateOnStart();
        return Replace(services => new NearCacheStore(
            (ISessionStore)inner(services),
            services.GetRequiredService<IOptionsMonitor<NearCacheOptions>>().Get(Name),
            services.GetRequiredService<TimeProvider>(),
            services.GetRequiredService<SessionMetrics>()));
    }

    private void RequireNoNearCache(string verb)
    {
        if (_hasNearCache)
        {
            throw new InvalidOperationException($"WithNearCache stands last, in front of all that was chosen before it, once. Call {verb} before it.");
        }
    }

    private SojournBuilder Replace(Func<IServiceProvider, ISessionStore> factory)
    {
        Services.Replace(ServiceDescriptor.KeyedSingleton(NamedServices.KeyOf(Name), (services, _) => factory(services)));
        return this;
    }

    private Func<IServiceProvider, object> StoreFactory()
    {
        var store = Services.LastOrDefault(service => service.ServiceType == typeof(ISessionStore) && Equals(service.ServiceKey, NamedServices.KeyOf(Name)));
        if (store is { IsKeyedService: true, KeyedImplementationFactory: { } factory })
        {
            return services => factory(services, Name);
        }

        return (store is { IsKeyedService: false } ? store.ImplementationFactory : null)
            ?? throw new InvalidOperationException("Choose the store by a verb of this builder, such as UseRedis or UseStore.");
    }
}
