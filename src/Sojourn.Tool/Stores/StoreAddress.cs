using System.Globalization;
using System.Net;
using Microsoft.Data.Sqlite;
using MongoDB.Driver;
using MySqlConnector;
using Npgsql;
using StackExchange.Redis;

namespace Sojourn.Tool.Stores;

/// <summary>Where a store is: a URL, or the name of a database, a colon, and a connection string as the driver takes it.</summary>
/// <param name="Database">redis, postgres, mysql, mongodb or sqlite.</param>
/// <param name="ConnectionString">For the driver.</param>
/// <param name="Display">To be shown: without user and password.</param>
internal sealed record StoreAddress(string Database, string ConnectionString, string Display)
{
    public const string Forms = "redis://…, rediss://…, postgres://…, mysql://…, mongodb://…, sqlite:sessions.db, or one of redis: postgres: mysql: sqlite: "
        + "and a connection string of the driver";

    /// <exception cref="ToolException">It is none of these. The message does not repeat it, since it may hold a password.</exception>
    public static StoreAddress Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (scheme, rest) = colon < 0 ? ("", text) : (text[..colon].ToLowerInvariant(), text[(colon + 1)..]);
        try
        {
            var url = rest.StartsWith("//", StringComparison.Ordinal) && scheme is not "sqlite" ? new StoreUrl(rest[2..]) : null;
            return scheme switch
            {
                "redis" or "rediss" => Redis(url is null ? ConfigurationOptions.Parse(rest) : FromUrl(url, scheme is "rediss")),
                "postgres" or "postgresql" =>
                    PostgreSql(url is null ? new NpgsqlConnectionStringBuilder(rest) : FromUrl(url, new NpgsqlConnectionStringBuilder())),
                "mysql" or "mariadb" => MySql(url is null ? new MySqlConnectionStringBuilder(rest) : FromUrl(url, new MySqlConnectionStringBuilder())),
                "mongodb" or "mongodb+srv" when url is not null => Mongo(text),
                "sqlite" => Sqlite(rest),
                _ => throw new ToolException($"That is no store. Say where it is by one of {Forms}."),
            };
        }
        catch (Exception e) when (e is ArgumentException or FormatException or MongoConfigurationException)
        {
            // What the driver says may hold the password.
            throw new ToolException($"The address of the {scheme} store is malformed. It is one of {Forms}.");
        }
    }

    private static StoreAddress Redis(ConfigurationOptions options) =>
        options.EndPoints.Count == 0
            ? throw new FormatException("It names no endpoint.")
            : new(
                "redis", options.ToString(includePassword: true), $"redis {string.Join(',', options.EndPoints.Select(NameOf))}/{options.DefaultDatabase ?? 0}");

    private static string? NameOf(EndPoint endpoint) =>
        endpoint is DnsEndPoint named ? string.Create(CultureInfo.InvariantCulture, $"{named.Host}:{named.Port}") : endpoint.ToString();

    private static ConfigurationOptions FromUrl(StoreUrl url, bool isSecure)
    {
        if (url.Password?.Contains(',', StringComparison.Ordinal) == true)
        {
            throw new ToolException("Redis's driver takes no password with a comma in a connection string.");
        }

        var options = ConfigurationOptions.Parse(string.Join(',', [url.Hosts, .. url.Settings.Select(setting => $"{setting.Name}={setting.Value}")]));
        options.Ssl |= isSecure;
        options.User = url.User is "" ? null : url.User;
        options.Password = url.Password;
        options.DefaultDatabase = url.Path is "" ? options.DefaultDatabase : int.Parse(url.Path, CultureInfo.InvariantCulture);
        return options;
    }

    private static StoreAddress PostgreSql(NpgsqlConnectionStringBuilder builder) =>
        new("postgres", builder.ConnectionString, string.Create(CultureInfo.InvariantCulture, $"postgres {builder.Host}:{builder.Port}/{builder.Database}"));

    private static NpgsqlConnectionStringBuilder FromUrl(StoreUrl url, NpgsqlConnectionStringBuilder builder)
    {
        (builder.Host, builder.Username, builder.Password, builder.Database) = (url.Hosts, url.User, url.Password, url.Path is "" ? null : url.Path);
        if (url.Port is { } port)
        {
            (builder.Host, builder.Port) = (url.Host, port);
        }

        foreach (var (name, value) in url.Settings)
        {
            builder[name] = value;
        }

        return builder;
    }

    private static StoreAddress MySql(MySqlConnectionStringBuilder builder) =>
        new("mysql", builder.ConnectionString, string.Create(CultureInfo.InvariantCulture, $"mysql {builder.Server}:{builder.Port}/{builder.Database}"));

    private static MySqlConnectionStringBuilder FromUrl(StoreUrl url, MySqlConnectionStringBuilder builder)
    {
        (builder.Server, builder.UserID, builder.Password, builder.Database) =
            (url.Port is null ? url.Hosts : url.Host, url.User ?? "", url.Password ?? "", url.Path);
        builder.Port = (uint)(url.Port ?? (int)builder.Port);
        foreach (var (name, value) in url.Settings)
        {
            builder[name] = value;
        }

        return builder;
    }

    private static StoreAddress Mongo(string text)
    {
        var url = new MongoUrl(text);
        return new("mongodb", text, $"mongodb {string.Join(',', url.Servers)}/{url.DatabaseName}");
    }

    private static StoreAddress Sqlite(string rest)
    {
        var builder = rest.Contains('=', StringComparison.Ordinal)
            ? new SqliteConnectionStringBuilder(rest)
            : new SqliteConnectionStringBuilder { DataSource = rest.StartsWith("//", StringComparison.Ordinal) ? rest[2..] : rest };
        return builder.DataSource is ""
            ? throw new FormatException("It names no file.")
            : new("sqlite", builder.ConnectionString, "sqlite " + builder.DataSource);
    }
}
