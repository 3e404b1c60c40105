using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Npgsql;
using Sojourn;
using Sojourn.PostgreSql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses PostgreSQL as the store.</summary>
public static class PostgreSqlStoreExtensions
{
    private const string NoConnectionString =
        "has no ConnectionString: set it to one of Npgsql, such as Host=localhost;Database=shop;Username=shop;Password=….";

    /// <summary>Keeps sessions in PostgreSQL 13 or later, on connections of the store's own. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">A connection string of Npgsql, such as <c>Host=localhost;Database=shop;Username=shop;Password=…</c>.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is empty or malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UsePostgreSql(this SojournBuilder builder, string connectionString, Action<PostgreSqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        CheckConnectionString(connectionString);
        return builder.Use(options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <summary>
    /// Keeps sessions in PostgreSQL 13 or later, as a section of the configuration says: <c>ConnectionString</c>, and the options by their names.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">The section, such as <c>configuration.GetSection("Sojourn:PostgreSql")</c>.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: the section has no connection string, or an option is out of its range.</exception>
    public static SojournBuilder UsePostgreSql(this SojournBuilder builder, IConfiguration section, Action<PostgreSqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.Use(options => options.Bind(section), configure);
    }

    /// <summary>Keeps sessions in PostgreSQL 13 or later, on connections of the application's own data source. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="dataSource">Gives the data source, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UsePostgreSql(
        this SojournBuilder builder, Func<IServiceProvider, NpgsqlDataSource> dataSource, Action<PostgreSqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(dataSource);
        Configure(builder.Options(), configure);
        return builder.UseStore(services => new PostgreSqlSessionStore(
            dataSource(services), services.GetRequiredService<IOptionsMonitor<PostgreSqlSessionStoreOptions>>().Get(builder.Name),
            services.GetRequiredService<TimeProvider>()));
    }

    /// <summary>
    /// Keeps sessions as connect-pg-simple 10 keeps them, to share them with a running Node application. The session lives as long as its cookie, or as the
    /// layout's <see cref="ConnectPgSimpleSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">A connection string of Npgsql, such as <c>Host=localhost;Database=shop;Username=shop;Password=…</c>.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is empty or malformed.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseConnectPgSimple(
        this SojournBuilder builder, string connectionString, Action<ConnectPgSimpleSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        CheckConnectionString(connectionString);
        return builder.UseNodeLayout(options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <inheritdoc cref="UseConnectPgSimple(SojournBuilder, string, Action{ConnectPgSimpleSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">A section of the configuration that holds <c>ConnectionString</c>, and the options by their names.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <exception cref="OptionsValidationException">At start: the section has no connection string, or an option is out of its range.</exception>
    public static SojournBuilder UseConnectPgSimple(
        this SojournBuilder builder, IConfiguration section, Action<ConnectPgSimpleSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.UseNodeLayout(options => options.Bind(section), configure);
    }

    /// <inheritdoc cref="UseConnectPgSimple(SojournBuilder, string, Action{ConnectPgSimpleSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="dataSource">Gives the data source, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseConnectPgSimple(
        this SojournBuilder builder, Func<IServiceProvider, NpgsqlDataSource> dataSource, Action<ConnectPgSimpleSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(dataSource);
        Configure(builder.NodeOptions(), configure);
        return builder.UseStore(
            services =>
                new ConnectPgSimpleSessionStore(
                    dataSource(services), services.GetRequiredService<IOptionsMonitor<ConnectPgSimpleSessionStoreOptions>>().Get(builder.Name)));
    }

    private static SojournBuilder Use(
        this SojournBuilder builder, Action<OptionsBuilder<PostgreSqlSessionStoreOptions>> connect, Action<PostgreSqlSessionStoreOptions>? configure)
    {
        var options = builder.Options().Validate(
            static o => !string.IsNullOrEmpty(o.ConnectionString), $"{nameof(PostgreSqlSessionStoreOptions)} {NoConnectionString}");
        connect(options);
        Configure(options, configure);
        return builder.UseStore(services =>
        {
            var o = services.GetRequiredService<IOptionsMonitor<PostgreSqlSessionStoreOptions>>().Get(builder.Name);
            return new PostgreSqlSessionStore(PostgreSqlDatabase.Open(o.ConnectionString!), isOwn: true, o, services.GetRequiredService<TimeProvider>());
        });
    }

    private static SojournBuilder UseNodeLayout(
        this SojournBuilder builder, Action<OptionsBuilder<ConnectPgSimpleSessionStoreOptions>> connect, Action<ConnectPgSimpleSessionStoreOptions>? configure)
    {
        var options = builder.NodeOptions().Validate(
            static o => !string.IsNullOrEmpty(o.ConnectionString), $"{nameof(ConnectPgSimpleSessionStoreOptions)} {NoConnectionString}");
        connect(options);
        Configure(options, configure);
        return builder.UseStore(services =>
        {
            var o = services.GetRequiredService<IOptionsMonitor<ConnectPgSimpleSessionStoreOptions>>().Get(builder.Name);
            return new ConnectPgSimpleSessionStore(PostgreSqlDatabase.Open(o.ConnectionString!), isOwn: true, o);
        });
    }

    private static OptionsBuilder<PostgreSqlSessionStoreOptions> Options(this SojournBuilder builder) =>
        builder.Services.AddOptions<PostgreSqlSessionStoreOptions>(builder.Name).Validate(
            static o => o.IsValid, PostgreSqlSessionStoreOptions.Rule).ValidateOnStart();

    private static OptionsBuilder<ConnectPgSimpleSessionStoreOptions> NodeOptions(this SojournBuilder builder) =>
        builder.Services.AddOptions<ConnectPgSimpleSessionStoreOptions>(builder.Name).Validate(
            static o => o.IsValid, ConnectPgSimpleSessionStoreOptions.Rule).ValidateOnStart();

    private static void Configure<TOptions>(OptionsBuilder<TOptions> options, Action<TOptions>? configure)
        where TOptions : class
    {
        if (configure is not null)
        {
            options.Configure(configure);
        }
    }

    /// <summary>What is malformed is told where it is written, not at the first request.</summary>
    private static void CheckConnectionString(string connectionString)
    {
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        _ = new NpgsqlConnectionStringBuilder(connectionString);
    }
}
