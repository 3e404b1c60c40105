using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Redis;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses Redis as the store.</summary>
public static class RedisStoreExtensions
{
    private const string ConnectionRule = "ConnectionString must be a configuration of StackExchange.Redis, such as localhost:6379.";

    /// <summary>Keeps sessions in Redis 6.2 or later, on a connection of the store's own. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A configuration of StackExchange.Redis, such as <c>localhost:6379</c>; several endpoints for a cluster, <c>serviceName=mymaster</c> for Sentinel.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseRedis(this SojournBuilder builder, string connectionString, Action<RedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        _ = ConfigurationOptions.Parse(connectionString);
        return builder.UseNative(null, options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <summary>Keeps sessions in Redis 6.2 or later as a section of the configuration says. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">Holds <c>ConnectionString</c> and the members of <see cref="RedisSessionStoreOptions"/> by name.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: the connection string is missing or malformed, or an option is out of its range.</exception>
    public static SojournBuilder UseRedis(this SojournBuilder builder, IConfiguration section, Action<RedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.UseNative(null, options => options.Bind(section), configure);
    }

    /// <summary>Keeps sessions in Redis 6.2 or later on the application's own connection. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connection">Gives the connection, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// At start: <see cref="RedisSessionStoreOptions.WaitForReplicas"/> is set, which needs a connection of the store's own.
    /// </exception>
    public static SojournBuilder UseRedis(
        this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer> connection, Action<RedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connection);
        return builder.UseNative(connection, _ => { }, configure);
    }

    /// <summary>
    /// Keeps sessions in Redis as connect-redis 9 and 10 keep them, to share them with a running Node application. The session lives as long as its cookie,
    /// or as the layout's <see cref="ConnectRedisSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A configuration of StackExchange.Redis, such as <c>localhost:6379</c>; several endpoints for a cluster, <c>serviceName=mymaster</c> for Sentinel.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseConnectRedis(
        this SojournBuilder builder, string connectionString, Action<ConnectRedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        _ = ConfigurationOptions.Parse(connectionString);
        return builder.UseNodeLayout(null, options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <summary>
    /// Keeps sessions in Redis as connect-redis 9 and 10 keep them, to share them with a running Node application. The session lives as long as its cookie,
    /// or as the layout's <see cref="ConnectRedisSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">Holds <c>ConnectionString</c> and the members of <see cref="ConnectRedisSessionStoreOptions"/> by name.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: the connection string is missing or malformed, or an option is out of its range.</exception>
    public static SojournBuilder UseConnectRedis(this SojournBuilder builder, IConfiguration section, Action<ConnectRedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.UseNodeLayout(null, options => options.Bind(section), configure);
    }

    /// <summary>
    /// Keeps sessions in Redis as connect-redis 9 and 10 keep them, to share them with a running Node application. The session lives as long as its cookie,
    /// or as the layout's <see cref="ConnectRedisSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connection">Gives the connection, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    /// <exception cref="ArgumentException">
    /// At start: <see cref="ConnectRedisSessionStoreOptions.WaitForReplicas"/> is set, which needs a connection of the store's own.
    /// </exception>
    public static SojournBuilder UseConnectRedis(
        this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer> connection, Action<ConnectRedisSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connection);
        return builder.UseNodeLayout(connection, _ => { }, configure);
    }

    private static SojournBuilder UseNative(
        this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer>? connection, Action<OptionsBuilder<RedisSessionStoreOptions>> prepare,
        Action<RedisSessionStoreOptions>? configure)
    {
        var options = builder.Services.AddOptions<RedisSessionStoreOptions>(builder.Name);
        prepare(options);
        options.Configure(o => configure?.Invoke(o))
            .Validate(static o => o.IsValid, RedisSessionStoreOptions.Rule)
            .Validate(o => connection is not null || IsConnectionString(o.ConnectionString), $"{nameof(RedisSessionStoreOptions)}.{ConnectionRule}")
            .ValidateOnStart();
        return builder.UseStore(services =>
        {
            var settings = services.GetRequiredService<IOptionsMonitor<RedisSessionStoreOptions>>().Get(builder.Name);
            return new RedisSessionStore(
                Connect(connection?.Invoke(services), settings.ConnectionString, settings.WaitForReplicas), settings,
                services.GetRequiredService<TimeProvider>());
        });
    }

    private static SojournBuilder UseNodeLayout(
        this SojournBuilder builder, Func<IServiceProvider, IConnectionMultiplexer>? connection,
        Action<OptionsBuilder<ConnectRedisSessionStoreOptions>> prepare, Action<ConnectRedisSessionStoreOptions>? configure)
    {
        var options = builder.Services.AddOptions<ConnectRedisSessionStoreOptions>(builder.Name);
        prepare(options);
        options.Configure(o => configure?.Invoke(o))
            .Validate(static o => o.IsValid, ConnectRedisSessionStoreOptions.Rule)
            .Validate(o => connection is not null || IsConnectionString(o.ConnectionString), $"{nameof(ConnectRedisSessionStoreOptions)}.{ConnectionRule}")
            .ValidateOnStart();
        return builder.UseStore(services =>
        {
            var settings = services.GetRequiredService<IOptionsMonitor<ConnectRedisSessionStoreOptions>>().Get(builder.Name);
            return new ConnectRedisSessionStore(
                Connect(connection?.Invoke(services), settings.ConnectionString, settings.WaitForReplicas), settings,
                services.GetRequiredService<TimeProvider>());
        });
    }

    private static RedisConnection Connect(IConnectionMultiplexer? given, string? connectionString, int waitForReplicas) =>
        given is null ? new(ConfigurationOptions.Parse(connectionString!), waitForReplicas) : new(given, waitForReplicas);

    private static bool IsConnectionString(string? text)
    {
        try
        {
            return !string.IsNullOrWhiteSpace(text) && ConfigurationOptions.Parse(text).EndPoints.Count > 0;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
