using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using MongoDB.Driver;
using Sojourn;
using Sojourn.MongoDb;
using Sojourn.Storage;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses MongoDB as the store.</summary>
public static class MongoDbStoreExtensions
{
    /// <summary>Keeps sessions in MongoDB 5.0 or later, on connections of the store's own. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A connection string of MongoDB, such as <c>mongodb://localhost:27017/shop</c>. A write concern in it counts; else writes wait for a majority.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseMongoDb(this SojournBuilder builder, string connectionString, Action<MongoDbSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        MongoConnection.Parse(connectionString);
        return builder.Use(options => options.Configure(o => o.ConnectionString = connectionString), configure, client: null);
    }

    /// <summary>Keeps sessions in MongoDB as a section of the configuration says. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">Holds <c>ConnectionString</c> and what else is set of <see cref="MongoDbSessionStoreOptions"/>, by name.</param>
    /// <param name="configure">Sets more options; none when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: the connection string is missing, or an option out of its range.</exception>
    public static SojournBuilder UseMongoDb(this SojournBuilder builder, IConfiguration section, Action<MongoDbSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.Use(options => options.Bind(section), configure, client: null);
    }

    /// <summary>Keeps sessions in MongoDB on a client of the application's own. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="client">
    /// Gives the client, once; whoever made it disposes of it. Its write concern counts where it has one; else writes wait for a majority.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseMongoDb(
        this SojournBuilder builder, Func<IServiceProvider, IMongoClient> client, Action<MongoDbSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(client);
        return builder.Use(static _ => { }, configure, client);
    }

    /// <summary>
    /// Keeps sessions in MongoDB as connect-mongo 6 keeps them, to share them with a running Node application. The session lives as long as its cookie,
    /// or as the layout's <see cref="ConnectMongoSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">A connection string of MongoDB: the Node application's <c>mongoUrl</c>.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseConnectMongo(
        this SojournBuilder builder, string connectionString, Action<ConnectMongoSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        MongoConnection.Parse(connectionString);
        return builder.UseNodeLayout(options => options.Configure(o => o.ConnectionString = connectionString), configure, client: null);
    }

    /// <inheritdoc cref="UseConnectMongo(SojournBuilder, string, Action{ConnectMongoSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">Holds <c>ConnectionString</c> and what else is set of <see cref="ConnectMongoSessionStoreOptions"/>, by name.</param>
    /// <param name="configure">Sets more options; none when <see langword="null"/>.</param>
    public static SojournBuilder UseConnectMongo(this SojournBuilder builder, IConfiguration section, Action<ConnectMongoSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.UseNodeLayout(options => options.Bind(section), configure, client: null);
    }

    /// <inheritdoc cref="UseConnectMongo(SojournBuilder, string, Action{ConnectMongoSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="client">Gives the client, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    public static SojournBuilder UseConnectMongo(
        this SojournBuilder builder, Func<IServiceProvider, IMongoClient> client, Action<ConnectMongoSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(client);
        return builder.UseNodeLayout(static _ => { }, configure, client);
    }

    private static SojournBuilder Use(
        this SojournBuilder builder, Action<OptionsBuilder<MongoDbSessionStoreOptions>> source, Action<MongoDbSessionStoreOptions>? configure,
        Func<IServiceProvider, IMongoClient>? client) =>
        builder.Use(
            source, configure, client, static o => o.IsValid, MongoDbSessionStoreOptions.Rule, static o => o.ConnectionString,
            static (connection, o, time) => new MongoDbSessionStore(connection, o, time));

    private static SojournBuilder UseNodeLayout(
        this SojournBuilder builder, Action<OptionsBuilder<ConnectMongoSessionStoreOptions>> source, Action<ConnectMongoSessionStoreOptions>? configure,
        Func<IServiceProvider, IMongoClient>? client) =>
        builder.Use(
            source, configure, client, static o => o.IsValid, ConnectMongoSessionStoreOptions.Rule, static o => o.ConnectionString,
            static (connection, o, time) => new ConnectMongoSessionStore(connection, o, time));

    private static SojournBuilder Use<TOptions>(
        this SojournBuilder builder,
        Action<OptionsBuilder<TOptions>> source,
        Action<TOptions>? configure,
        Func<IServiceProvider, IMongoClient>? client,
        Func<TOptions, bool> isValid,
        string rule,
        Func<TOptions, string?> connectionString,
        Func<MongoConnection, TOptions, TimeProvider, ISessionStore> make)
        where TOptions : class
    {
        var options = builder.Services.AddOptions<TOptions>(builder.Name);
        source(options);
        if (configure is not null)
        {
            options.Configure(configure);
        }

        options.Validate(isValid, rule).ValidateOnStart();
        if (client is null)
        {
            options.Validate(
                o => !string.IsNullOrEmpty(connectionString(o)),
                $"{typeof(TOptions).Name}.ConnectionString is missing: where MongoDB is, such as mongodb://localhost:27017/shop.");
        }

        return builder.UseStore(services =>
        {
            var set = services.GetRequiredService<IOptionsMonitor<TOptions>>().Get(builder.Name);
            var connection = client is null ? new MongoConnection(connectionString(set)!) : new MongoConnection(client(services));
            return make(connection, set, services.GetRequiredService<TimeProvider>());
        });
    }
}
