using Microsoft.AspNetCore.DataProtection;
using Sojourn.Benchmarks.Http;

// Usage: Sojourn.Benchmarks.Http
// <none|builtin|builtin-redis|sojourn-memory|sojourn-sqlite|sojourn-redis|sojourn-redis-near|sojourn-redis-first-use|sojourn-pg|sojourn-mysql> <port>
// [connection string]
var mode = args[0];
var connection = args.ElementAtOrDefault(2) ?? "";
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls($"http://127.0.0.1:{args[1]}");
switch (mode)
{
    case "builtin" or "builtin-redis":
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        _ = mode is "builtin"
            ? builder.Services.AddDistributedMemoryCache(options => options.SizeLimit = null)
            : builder.Services.AddStackExchangeRedisCache(options => options.Configuration = connection);
        builder.Services.AddSession(options => options.Cookie.Name = "sid");
        break;
    case not "none":
        var sojourn = builder.Services.AddSojourn(options =>
        {
            options.Secrets = ["the benchmark's secret, 32 characters or more"];
            options.Cookie.Name = "sid";
            options.Cookie.Secure = Sojourn.CookieSecure.AsRequest;
            options.Load = mode.EndsWith("-first-use", StringComparison.Ordinal) ? Sojourn.SessionLoad.OnFirstUse : Sojourn.SessionLoad.BeforeHandler;
        });
        _ = mode switch
        {
            "sojourn-memory" => sojourn.UseMemory(),
            "sojourn-sqlite" => sojourn.UseSqlite(connection),
            "sojourn-redis" or "sojourn-redis-first-use" => sojourn.UseRedis(connection),
            "sojourn-redis-near" => sojourn.UseRedis(connection, options => options.Notifications = true).WithNearCache(),
            "sojourn-pg" => sojourn.UsePostgreSql(connection),
            "sojourn-mysql" => sojourn.UseMySql(connection),
            _ => throw new ArgumentException($"Unknown mode {mode}."),
        };
        break;
}

var app = builder.Build();
switch (mode)
{
    case "builtin" or "builtin-redis":
        app.UseSession();
        app.MapGet("/seed", BuiltIn.Seed);
        app.MapGet("/read", BuiltIn.Read);
        app.MapGet("/write", BuiltIn.Write);
        break;
    case not "none":
        app.UseSojourn();
        app.MapGet("/seed", WithSojourn.Seed).WithSession();
        app.MapGet("/read", WithSojourn.Read);
        app.MapGet("/write", WithSojourn.Write);
        break;
    default:
        app.MapGet("/seed", WithoutSession.Seed);
        app.MapGet("/read", WithoutSession.Read);
        app.MapGet("/write", WithoutSession.Write);
        break;
}


// Of no interest to any session, and asked for with its cookie all the same, as most requests of a page are.
app.MapGet("/plain", WithoutSession.Read);
app.MapGet("/allocated", static () => GC.GetTotalAllocatedBytes(precise: true));
app.Run();
