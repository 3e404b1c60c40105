using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Sqlite;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses a SQLite file as the store.</summary>
public static class SqliteStoreExtensions
{
    /// <summary>Keeps sessions in one SQLite file, which is made by itself. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="connectionString">
    /// A connection string of Microsoft.Data.Sqlite, such as <c>Data Source=sessions.db</c>; a relative path starts at the working directory.
    /// </param>
    /// <param name="configure">Sets the options; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">
    /// The connection string is malformed, or names no file (<c>:memory:</c>): <c>UseMemory()</c> keeps sessions in memory.
    /// </exception>
    /// <exception cref="OptionsValidationException">At start: an option is out of its range.</exception>
    public static SojournBuilder UseSqlite(this SojournBuilder builder, string connectionString, Action<SqliteSessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        _ = Database.Parse(connectionString);
        var options = builder.Services.AddOptions<SqliteSessionStoreOptions>(builder.Name).Validate(
            o => o.IsValid, SqliteSessionStoreOptions.Rule).ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        return builder.UseStore(services => new SqliteSessionStore(
            connectionString,
            services.GetRequiredService<IOptionsMonitor<SqliteSessionStoreOptions>>().Get(builder.Name),
            services.GetService<TimeProvider>()));
    }
}
