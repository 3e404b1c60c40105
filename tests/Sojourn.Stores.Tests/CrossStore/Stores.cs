using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Npgsql;
using Sojourn.MongoDb;
using Sojourn.Stores.Tests.MongoDb;
using Sojourn.Stores.Tests.MySql;
using Sojourn.Stores.Tests.PostgreSql;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>connect-redis 9, as it is by default.</summary>
public sealed class ConnectRedisCrossTests(RedisServer server)
    : CrossStoreTests(new NodeSide("redis", $"redis://{server.Configuration}"), builder => builder.UseConnectRedis(server.Configuration));

/// <summary>connect-redis 10, and its prefix and ttl as options.</summary>
public sealed class ConnectRedis10CrossTests(RedisServer server) : CrossStoreTests(
    new NodeSide("redis-10", $"redis://{server.Configuration}", new() { ["prefix"] = "shop:", ["ttl"] = 3600 }),
    builder => builder.UseConnectRedis(server.Configuration, o => (o.KeyPrefix, o.TimeToLive) = ("shop:", TimeSpan.FromHours(1))));

/// <summary>connect-pg-simple 10.</summary>
public sealed class ConnectPgSimpleCrossTests(PostgresServer server) : CrossStoreTests(
    new NodeSide("pg", Url(server.Owner)), builder => builder.UseConnectPgSimple(server.Owner))
{
    private static string Url(string connectionString)
    {
        var parts = new NpgsqlConnectionStringBuilder(connectionString);
        return $"postgres://{parts.Username}@{parts.Host}:{parts.Port}/{parts.Database}";
    }
}

/// <summary>express-mysql-session 3.</summary>
public sealed class ExpressMySqlCrossTests(MariaDbServer server) : CrossStoreTests(
    new NodeSide("mysql", Url(server.App)), builder => builder.UseExpressMySqlSession(server.App))
{
    private static string Url(string connectionString)
    {
        var parts = new MySqlConnectionStringBuilder(connectionString);
        return $"mysql://{parts.UserID}:{parts.Password}@{parts.Server}:{parts.Port}/{parts.Database}";
    }
}

/// <summary>connect-mongo 6: JSON as text.</summary>
public sealed class ConnectMongoTextCrossTests(MongoServer server) : ConnectMongoCrossTests(server, "text", [], _ => { });

/// <summary>connect-mongo 6 with <c>stringify: false</c>: a BSON object.</summary>
public sealed class ConnectMongoObjectCrossTests(MongoServer server) : ConnectMongoCrossTests(
    server, "object", new() { ["stringify"] = false }, o => o.Stringify = false);

/// <summary>connect-mongo 6 with <c>touchAfter</c>.</summary>
public sealed class ConnectMongoTouchAfterCrossTests(MongoServer server)
    : ConnectMongoCrossTests(server, "touch_after", new() { ["touchAfter"] = 60 }, o => o.TouchAfter = TimeSpan.FromMinutes(1))
{
    protected override bool TouchesEachTime => false;
}

/// <summary>connect-mongo 6 with <c>createWebCryptoAdapter</c>.</summary>
public sealed class ConnectMongoWebCryptoCrossTests(MongoServer server) : ConnectMongoCrossTests(
    server, "webcrypto", new() { ["webcrypto"] = new JsonObject { ["secret"] = "a secret of its own" } },
    o => (o.Encryption, o.Secret) = (ConnectMongoEncryption.WebCrypto, "a secret of its own"));

/// <summary>connect-mongo 6 with <c>crypto</c>.</summary>
public sealed class ConnectMongoKrupteinCrossTests(MongoServer server) : ConnectMongoCrossTests(
    server, "kruptein", new() { ["crypto"] = new JsonObject { ["secret"] = "a secret of its own" } },
    o => (o.Encryption, o.Secret) = (ConnectMongoEncryption.Kruptein, "a secret of its own"));

/// <summary>connect-mongo 6 with <c>transformId</c>, <c>serialize</c>, <c>unserialize</c> and <c>timestamps</c>.</summary>
public sealed class ConnectMongoFunctionsCrossTests(MongoServer server) : ConnectMongoCrossTests(
    server, "functions", new() { ["functions"] = true, ["timestamps"] = true }, o =>
{
    o.Timestamps = true;
    o.TransformId = id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
    o.Serialize = json => Convert.ToBase64String(json.Span);
    o.Unserialize = content => Convert.FromBase64String(content.AsString);
});

public abstract class ConnectMongoCrossTests(
    MongoServer server, string collection, JsonObject options, Action<ConnectMongoSessionStoreOptions> configure) : CrossStoreTests(
    new NodeSide("mongo", server.ConnectionString, With(options, server.DatabaseName, "cross_" + collection)),
    builder => builder.UseConnectMongo(server.ConnectionString, o =>
    {
        (o.DatabaseName, o.CollectionName) = (server.DatabaseName, "cross_" + collection);
        configure(o);
    }))
{
    private static JsonObject With(JsonObject options, string database, string collection)
    {
        (options["dbName"], options["collectionName"]) = (database, collection);
        return options;
    }
}
