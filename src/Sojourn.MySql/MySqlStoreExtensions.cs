using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using MySqlConnector;
using Sojourn;
using Sojourn.MySql;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses MySQL or MariaDB as the store.</summary>
public static class MySqlStoreExtensions
{
    private const string NoConnectionString =
        "has no ConnectionString: set it to one of MySqlConnector that names a database, such as Server=localhost;Database=shop;User ID=shop;Password=….";

    /// <summary>Keeps sessions in MySQL 8 or MariaDB 10.6 or later, on connections of the store's own. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A connection string of MySqlConnector that names a database, such as <c>Server=localhost;Database=shop;User ID=shop;Password=…</c>.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is empty or malformed, or names no database.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseMySql(this SojournBuilder builder, string connectionString, Action<MySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        CheckConnectionString(connectionString);
        return builder.Use(options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <summary>
    /// Keeps sessions in MySQL 8 or MariaDB 10.6 or later, as a section of the configuration says: <c>ConnectionString</c>, and the options by their names.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">The section, such as <c>configuration.GetSection("Sojourn:MySql")</c>.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: the section has no connection string, or an option is out of its range.</exception>
    public static SojournBuilder UseMySql(this SojournBuilder builder, IConfiguration section, Action<MySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.Use(options => options.Bind(section), configure);
    }

    /// <summary>
    /// Keeps sessions in MySQL 8 or MariaDB 10.6 or later, on connections of the application's own data source. One instance serves all requests.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="dataSource">Gives the data source, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseMySql(
        this SojournBuilder builder, Func<IServiceProvider, MySqlDataSource> dataSource, Action<MySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(dataSource);
        Configure(builder.Options(), configure);
        return builder.UseStore(
            services =>
                new MySqlSessionStore(dataSource(services), services.GetRequiredService<IOptionsMonitor<MySqlSessionStoreOptions>>().Get(builder.Name)));
    }

    /// <summary>
    /// Keeps sessions as express-mysql-session 3 keeps them, to share them with a running Node application. The session lives as long as its cookie, or as the
    /// layout's <see cref="ExpressMySqlSessionStoreOptions.TimeToLive"/>; <see cref="SojournOptions.IdleTimeout"/> must not be set.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A connection string of MySqlConnector that names a database, such as <c>Server=localhost;Database=shop;User ID=shop;Password=…</c>.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The connection string is empty or malformed, or names no database.</exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseExpressMySqlSession(
        this SojournBuilder builder, string connectionString, Action<ExpressMySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        CheckConnectionString(connectionString);
        return builder.UseNodeLayout(options => options.Configure(o => o.ConnectionString = connectionString), configure);
    }

    /// <inheritdoc cref="UseExpressMySqlSession(SojournBuilder, string, Action{ExpressMySqlSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="section">A section of the configuration that holds <c>ConnectionString</c>, and the options by their names.</param>
    /// <param name="configure">Sets options after the section; nothing when <see langword="null"/>.</param>
    /// <exception cref="OptionsValidationException">At start: the section has no connection string, or an option is out of its range.</exception>
    public static SojournBuilder UseExpressMySqlSession(
        this SojournBuilder builder, IConfiguration section, Action<ExpressMySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.UseNodeLayout(options => options.Bind(section), configure);
    }

    /// <inheritdoc cref="UseExpressMySqlSession(SojournBuilder, string, Action{ExpressMySqlSessionStoreOptions})"/>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="dataSource">Gives the data source, once; whoever made it disposes of it.</param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseExpressMySqlSession(
        this SojournBuilder builder, Func<IServiceProvider, MySqlDataSource> dataSource, Action<ExpressMySqlSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(dataSource);
        Configure(builder.NodeOptions(), configure);
        return builder.UseStore(
            services =>
                new ExpressMySqlSessionStore(
                    dataSource(services), services.GetRequiredService<IOptionsMonitor<ExpressMySqlSessionStoreOptions>>().Get(builder.Name)));
    }

    private static SojournBuilder Use(
        this SojournBuilder builder, Action<OptionsBuilder<MySqlSessionStoreOptions>> connect, Action<MySqlSessionStoreOptions>? configure)
    {
        var options = builder.Options().Validate(
            static o => !string.IsNullOrEmpty(o.ConnectionString), $"{nameof(MySqlSessionStoreOptions)} {NoConnectionString}");
        connect(options);
        Configure(options, configure);
        return builder.UseStore(services =>
        {
            var o = services.GetRequiredService<IOptionsMonitor<MySqlSessionStoreOptions>>().Get(builder.Name);
            return new MySqlSessionStore(schema => new MySqlDatabase(o.ConnectionString!, schema), o);
        });
    }

    private static SojournBuilder UseNodeLayout(
        this SojournBuilder builder, Action<OptionsBuilder<ExpressMySqlSessionStoreOptions>> connect, Action<ExpressMySqlSessionStoreOptions>? configure)
    {
        var options = builder.NodeOptions().Validate(
            static o => !string.IsNullOrEmpty(o.ConnectionString), $"{nameof(ExpressMySqlSessionStoreOptions)} {NoConnectionString}");
        connect(options);
        Configure(options, configure);
        return builder.UseStore(services =>
        {
            var o = services.GetRequiredService<IOptionsMonitor<ExpressMySqlSessionStoreOptions>>().Get(builder.Name);
            return new ExpressMySqlSessionStore(schema => new MySqlDatabase(o.ConnectionString!, schema), o);
        });
    }

    private static OptionsBuilder<MySqlSessionStoreOptions> Options(this SojournBuilder builder) =>
        builder.Services.AddOptions<MySqlSessionStoreOptions>(builder.Name).Validate(static o => o.IsValid, MySqlSessionStoreOptions.Rule).ValidateOnStart();

    private static OptionsBuilder<ExpressMySqlSessionStoreOptions> NodeOptions(this SojournBuilder builder) =>
        builder.Services.AddOptions<ExpressMySqlSessionStoreOptions>(builder.Name).Validate(
            static o => o.IsValid, ExpressMySqlSessionStoreOptions.Rule).ValidateOnStart();

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
        _ = MySqlDatabase.Parse(connectionString);
    }
}
