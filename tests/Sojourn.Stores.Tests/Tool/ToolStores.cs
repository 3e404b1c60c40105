using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Npgsql;
using Sojourn.Storage;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>Empty stores of every kind: as the tool is told of them, and as an application is.</summary>
internal sealed class ToolStores(RedisServer redis, PostgresServer postgres, MariaDbServer mysql, MongoServer mongo) : IDisposable
{
    public const string ApplicationName = "tool-tests";

    private readonly List<TempDirectory> _directories = [];

    public static string[] All =>
        ["sqlite", "redis", "postgres", "mysql", "mongodb", "connect-redis", "connect-pg-simple", "express-mysql-session", "connect-mongo"];

    public async Task<ToolStore> NewAsync(string kind) => kind switch
    {
        "sqlite" => Sqlite(),
        "redis" => Redis("native", (builder, prefix) => builder.UseRedis(redis.Configuration, o => (o.KeyPrefix, o.Notifications) = (prefix, true))),
        "connect-redis" => Redis(kind, (builder, prefix) => builder.UseConnectRedis(redis.Configuration, o => o.KeyPrefix = prefix)),
        "postgres" => await PostgreSqlAsync("native", static (builder, connection) => builder.UsePostgreSql(connection, o => o.Notifications = true)),
        "connect-pg-simple" => await PostgreSqlAsync(kind, static (builder, connection) => builder.UseConnectPgSimple(connection)),
        "mysql" => await MySqlAsync("native", static (builder, connection) => builder.UseMySql(connection)),
        "express-mysql-session" => await MySqlAsync(kind, static (builder, connection) => builder.UseExpressMySqlSession(connection)),
        "mongodb" =>
            Mongo(
                "native",
                (builder, collection) =>
                    builder.UseMongoDb(mongo.ConnectionString, o => (o.DatabaseName, o.CollectionName) = (mongo.DatabaseName, collection))),
        _ =>
            Mongo(
                kind,
                (builder, collection) =>
                    builder.UseConnectMongo(mongo.ConnectionString, o => (o.DatabaseName, o.CollectionName) = (mongo.DatabaseName, collection))),
    };

    public void Dispose() => _directories.ForEach(static directory => directory.Dispose());

    private ToolStore Sqlite()
    {
        var directory = new TempDirectory();
        _directories.Add(directory);
        return new("sqlite:" + directory.File, "native", [], builder => builder.UseSqlite(directory.ConnectionString));
    }

    private ToolStore Redis(string layout, Func<SojournBuilder, string, SojournBuilder> use)
    {
        var prefix = $"tool:{Path.GetRandomFileName()}:";
        return new($"redis://{redis.Configuration}", layout, ["KeyPrefix=" + prefix], builder => use(builder, prefix));
    }

    private async Task<ToolStore> PostgreSqlAsync(string layout, Func<SojournBuilder, string, SojournBuilder> use)
    {
        var connection = await postgres.NewDatabaseAsync();
        var parts = new NpgsqlConnectionStringBuilder(connection);
        return new(
            string.Create(CultureInfo.InvariantCulture, $"postgres://{parts.Username}:secret%40word@{parts.Host}:{parts.Port}/{parts.Database}?Timeout=5"),
            layout, [], builder => use(builder, connection));
    }

    private async Task<ToolStore> MySqlAsync(string layout, Func<SojournBuilder, string, SojournBuilder> use)
    {
        var connection = await mysql.NewDatabaseAsync();
        return new("mysql:" + connection, layout, [], builder => use(builder, connection));
    }

    private ToolStore Mongo(string layout, Func<SojournBuilder, string, SojournBuilder> use)
    {
        var collection = "tool_" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);
        return new(mongo.ConnectionString, layout, ["DatabaseName=" + mongo.DatabaseName, "CollectionName=" + collection], builder => use(builder, collection));
    }

    /// <summary>The address of the MariaDB server as a URL.</summary>
    public static string Url(string connectionString)
    {
        var parts = new MySqlConnectionStringBuilder(connectionString);
        return string.Create(CultureInfo.InvariantCulture, $"mysql://{parts.UserID}:{parts.Password}@{parts.Server}:{parts.Port}/{parts.Database}");
    }
}

/// <summary>A store, as the tool is told of it, and as an application is.</summary>
internal sealed record ToolStore(string Address, string Layout, string[] Settings, Action<SojournBuilder> Use)
{
    public bool IsNative => Layout is "native";

    /// <summary>Options of the tool: --store, or those of one side of a migration.</summary>
    public string[] Options(string name = "store")
    {
        var prefix = name is "store" ? "" : name + "-";
        return ["--" + name, Address, $"--{prefix}layout", Layout, .. Settings.SelectMany(setting => (string[])[$"--{prefix}set", setting])];
    }

    /// <summary>The application.</summary>
    public async Task<ToolApp> StartAsync()
    {
        var services = new ServiceCollection();
        Use(services.AddSojournCore());
        services.Configure<SojournOptions>(options => options.ApplicationName = ToolStores.ApplicationName);
        var app = new ToolApp(services.BuildServiceProvider());
        if (app.Store.As<ISchemaStore>() is { } schema) await schema.EnsureSchemaAsync(TestContext.Current.CancellationToken);
        await app.Store.ReadAsync("no session has this key", TestContext.Current.CancellationToken);
        return app;
    }
}

/// <summary>An application without HTTP.</summary>
internal sealed class ToolApp(ServiceProvider services) : IAsyncDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ISessionStore Store { get; } = services.GetRequiredService<ISessionStore>();

    public SessionManager Sessions { get; } = services.GetRequiredService<SessionManager>();

    /// <summary>A session with an entry, of somebody or nobody.</summary>
    public async Task<Session> NewSessionAsync(string? subject, string cart = "apple")
    {
        var session = Sessions.Create();
        session.Set("cart", new[] { cart });
        if (subject is null)
        {
            await Sessions.CommitAsync(session, Token);
            return session;
        }

        await session.SignInAsync(subject, cancellationToken: Token);
        await Sessions.CommitAsync(session, Token);
        return session;
    }

    public async Task<string[]?> CartAsync(string id) => (await Sessions.LoadAsync(id, Token))?.Get<string[]>("cart");

    public async Task<string?> FirstOfCartAsync(string id) => (await CartAsync(id))?[0];

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
