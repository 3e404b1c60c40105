using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Storage;

namespace Sojourn.Tool.Stores;

/// <summary>Opens a store as an application would: the library's own engine and stores, told what to do by the same options.</summary>
internal static class StoreFactory
{
    /// <summary>The tool may wait longer than a visitor: Redis looks at the names of all sessions for a page.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <param name="store">Which.</param>
    /// <param name="console">Its clock is the engine's.</param>
    /// <param name="mayCreate">Whether missing tables, or a missing file, are made.</param>
    /// <param name="notifies">Whether the store is told to listen.</param>
    /// <param name="configure">The application's options that count.</param>
    /// <exception cref="ToolException">There is no such file.</exception>
    public static OpenStore Open(
        StoreDescription store, ToolConsole console, bool mayCreate = false, bool notifies = false, Action<SojournOptions>? configure = null)
    {
        var settings = store.Settings.ToList();
        if (store.Layout.Creates is { } creates)
        {
            settings.Add(string.Create(CultureInfo.InvariantCulture, $"{creates}={mayCreate}"));
        }

        if (notifies)
        {
            settings.Add("Notifications=true");
        }

        var connectionString = store.Layout.Database is "sqlite" && !mayCreate ? Existing(store.Address.ConnectionString) : store.Address.ConnectionString;
        var section = store.Layout.Section(connectionString, settings);
        var services = new ServiceCollection().AddSingleton(console.Time);
        store.Layout.Use(services.AddSojournCore(), section);
        services.Configure<SojournOptions>(options =>
        {
            // Keys of ids are made with the application's name; whatever has only keys does without it.
            (options.ApplicationName, options.StoreTimeout) = ("sojourn", Patience);
            configure?.Invoke(options);
        });
        return new OpenStore(store, services.BuildServiceProvider());
    }

    /// <summary>The store would make its tables in any file that lacks them.</summary>
    private static void RequireSessions(SqliteConnectionStringBuilder parts)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder(parts.ConnectionString) { Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM pragma_table_info('sessions') WHERE name = 'document'";
        if (command.ExecuteScalar() is not 1L)
        {
            throw new ToolException($"{parts.DataSource} holds no sessions. To have their tables made in it: sojourn schema --apply", ExitCode.Failed);
        }
    }

    /// <summary>SQLite would make the file that it does not find.</summary>
    private static string Existing(string connectionString)
    {
        var parts = new SqliteConnectionStringBuilder(connectionString);
        if (!File.Exists(parts.DataSource) && !parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            throw new ToolException($"There is no file {Path.GetFullPath(parts.DataSource)}.", ExitCode.Failed);
        }

        parts.Mode = SqliteOpenMode.ReadWrite;
        RequireSessions(parts);
        return parts.ConnectionString;
    }
}

/// <summary>A store in use.</summary>
internal sealed class OpenStore(StoreDescription description, ServiceProvider services) : IAsyncDisposable
{
    public StoreDescription Description => description;

    public ISessionStore Store { get; } = services.GetRequiredService<ISessionStore>();

    public SessionManager Sessions { get; } = services.GetRequiredService<SessionManager>();

    public ISessionAdministration Administration { get; } = services.GetRequiredService<ISessionAdministration>();

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
