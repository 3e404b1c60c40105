using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Redis;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses Redis as the store.</summary>
public static class RedisStoreExtensions
{
    /// <summary>Keeps sessions in Redis 6.2 or later, on a connection of the store's own. One instance serves the whole application.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="configuration">
    /// A configuration of StackExchange.Redis, such as <c>localhost:6379</c>; several endpoints for a cluster, <c>serviceName=mymaster</c> for Sentinel.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The configuration is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseRedis(this SojournBuilder builder, string configuration, Action<RedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        var parsed = ConfigurationOptions.Parse(configuration);
        return builder.Use(_ => new RedisConnection(parsed), configure);
    }

    /// <summary>Keeps sessions in Redis on the application's own connection. One instance serves the whole application.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connection">Gives the connection, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseRedis(this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer> connection, Action<RedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connection);
        return builder.Use(services => new RedisConnection(connection(services)), configure);
    }

    /// <summary>
    /// Keeps sessions in Redis as connect-redis 9 and 10 keep them, to share them with a running Node application. The session lives as long as its cookie,
    /// or as the layout's <see cref="ConnectRedisSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="configuration">A configuration of StackExchange.Redis, such as <c>localhost:6379</c>.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The configuration is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseConnectRedis(this SojournBuilder builder, string configuration, Action<ConnectRedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        var parsed = ConfigurationOptions.Parse(configuration);
        return builder.UseNodeLayout(_ => new RedisConnection(parsed), configure);
    }

    /// <inheritdoc cref="UseConnectRedis(SojournBuilder, string, Action{ConnectRedisSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connection">Gives the connection, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    public static SojournBuilder UseConnectRedis(this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer> connection, Action<ConnectRedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connection);
        return builder.UseNodeLayout(services => new RedisConnection(connection(services)), configure);
    }

    private static SojournBuilder Use(this SojournBuilder builder, Func<IServiceProvider, RedisConnection> connection, Action<RedisSessionStoreOptions>? configure)
    {
        var options = builder.Services.AddOptions<RedisSessionStoreOptions>().Validate(static o => o.IsValid, RedisSessionStoreOptions.Rule).ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        return builder.UseStore(services => new RedisSessionStore(
            connection(services),
            services.GetRequiredService<IOptions<RedisSessionStoreOptions>>().Value,
            services.GetRequiredService<TimeProvider>()));
    }

    private static SojournBuilder UseNodeLayout(this SojournBuilder builder, Func<IServiceProvider, RedisConnection> connection, Action<ConnectRedisSessionStoreOptions>? configure)
    {
        var options = builder.Services.AddOptions<ConnectRedisSessionStoreOptions>().Validate(static o => o.IsValid, ConnectRedisSessionStoreOptions.Rule).ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        return builder.UseStore(services => new ConnectRedisSessionStore(
            connection(services),
            services.GetRequiredService<IOptions<ConnectRedisSessionStoreOptions>>().Value,
            services.GetRequiredService<TimeProvider>()));
    }
}
