using Sojourn;

namespace SharedLogin;

/// <summary>The database that nest/src/store.ts opens too, by the same URL.</summary>
internal static class Stores
{
    public static SojournBuilder UseStoreOf(this SojournBuilder sessions, string store, Uri url) => store switch
    {
        "redis" => sessions.UseConnectRedis(url.Authority),
        "pg" => sessions.UseConnectPgSimple($"Host={url.Host};Port={Port(url, 5432)};Database={Database(url)};Username={Part(url, 0)};Password={Part(url, 1)}"),
        "mysql" =>
            sessions.UseExpressMySqlSession(
                $"Server={url.Host};Port={Port(url, 3306)};Database={Database(url)};User ID={Part(url, 0)};Password={Part(url, 1)}"),
        "mongo" => sessions.UseConnectMongo(url.OriginalString),
        _ => throw new ArgumentException($"There is no store {store}: choose redis, pg, mysql or mongo."),
    };

    private static int Port(Uri url, int otherwise) => url.Port > 0 ? url.Port : otherwise;

    private static string Database(Uri url) => url.AbsolutePath.TrimStart('/');

    private static string Part(Uri url, int number) => Uri.UnescapeDataString(url.UserInfo.Split(':').ElementAtOrDefault(number) ?? "");
}
