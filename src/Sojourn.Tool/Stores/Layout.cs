using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.MongoDb;
using Sojourn.MySql;
using Sojourn.PostgreSql;
using Sojourn.Redis;
using Sojourn.Sqlite;

namespace Sojourn.Tool.Stores;

/// <summary>A layout of a database, and how the library is told to use it.</summary>
/// <param name="Database">As in <see cref="StoreAddress"/>.</param>
/// <param name="Name">native, or the npm store's.</param>
/// <param name="Options">The type of the store's options: what --set may name.</param>
/// <param name="Creates">The option that says whether the store makes its tables; null where there is none.</param>
/// <param name="Use">Chooses the store by a section of a configuration.</param>
/// <param name="Script">What makes the tables; null where the store needs none.</param>
internal sealed record Layout(
    string Database, string Name, Type Options, string? Creates, Action<SojournBuilder, IConfiguration> Use, Func<IConfiguration, string>? Script)
{
    public const string Native = "native";

    public static readonly Layout[] All =
    [
        Of<RedisSessionStoreOptions>("redis", Native, null, static (builder, section) => builder.UseRedis(section), null),
        Of<ConnectRedisSessionStoreOptions>("redis", "connect-redis", null, static (builder, section) => builder.UseConnectRedis(section), null),
        Of<PostgreSqlSessionStoreOptions>(
            "postgres", Native, "CreateSchema", static (builder, section) => builder.UsePostgreSql(section), PostgreSqlSchema.Script),
        Of<ConnectPgSimpleSessionStoreOptions>(
            "postgres", "connect-pg-simple", "CreateTableIfMissing", static (builder, section) => builder.UseConnectPgSimple(section), PostgreSqlSchema.Script),
        Of<MySqlSessionStoreOptions>("mysql", Native, "CreateSchema", static (builder, section) => builder.UseMySql(section), MySqlSchema.Script),
        Of<ExpressMySqlSessionStoreOptions>(
            "mysql", "express-mysql-session", "CreateDatabaseTable", static (builder, section) => builder.UseExpressMySqlSession(section), MySqlSchema.Script),
        Of<MongoDbSessionStoreOptions>("mongodb", Native, "CreateIndexes", static (builder, section) => builder.UseMongoDb(section), MongoDbSchema.Script),
        Of<ConnectMongoSessionStoreOptions>(
            "mongodb", "connect-mongo", "CreateIndexes", static (builder, section) => builder.UseConnectMongo(section), MongoDbSchema.Script),
        Of<SqliteSessionStoreOptions>("sqlite", Native, null, static (builder, section) => builder.UseSqlite(section["ConnectionString"]!, section.Bind), null),
    ];

    /// <summary>Records are filed under the id itself, as an npm store does, so a key must not be shown.</summary>
    public bool IsKeyedById => Name is not Native;

    /// <exception cref="ToolException">The database has no such layout.</exception>
    public static Layout Find(string database, string name) =>
        Array.Find(All, layout => layout.Database == database && layout.Name == name)
        ?? throw new ToolException(
            $"{database} has no layout {name}; it has {string.Join(" and ", All.Where(layout => layout.Database == database).Select(layout => layout.Name))}.");

    /// <summary>The settings as the section that the library reads.</summary>
    /// <exception cref="ToolException">The store has no such option, or it does not take that value.</exception>
    public IConfiguration Section(string connectionString, IEnumerable<string> settings)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["ConnectionString"] = connectionString };
        var properties = Options.GetProperties().Where(static property => property.Name is not "ConnectionString" && IsText(property.PropertyType));
        var names = properties.Select(static property => property.Name).ToList();
        foreach (var setting in settings)
        {
            var parts = setting.Split('=', 2);
            var name = names.Find(option => string.Equals(option, parts[0], StringComparison.OrdinalIgnoreCase))
                ?? throw new ToolException($"{Database} in the layout {Name} has no option {parts[0]}; it has {string.Join(", ", names)}.");
            values[name] = parts.ElementAtOrDefault(1) ?? "";
        }

        var section = new ConfigurationBuilder().AddInMemoryCollection(values).Build();
        try
        {
            _ = section.Get(Options);
        }
        catch (InvalidOperationException e)
        {
            throw new ToolException(e.Message);
        }

        return section;
    }

    private static bool IsText(Type type) => type == typeof(string) || type.IsValueType;

    private static Layout Of<T>(string database, string name, string? creates, Action<SojournBuilder, IConfiguration> use, Func<T, string>? script)
        where T : class, new() =>
        new(database, name, typeof(T), creates, use, script is null ? null : section => script(section.Get<T>() ?? new T()));
}
