using Microsoft.AspNetCore.DataProtection;
using Sojourn.Benchmarks.Http;

// Usage: Sojourn.Benchmarks.Http <none|builtin|sojourn-memory|sojourn-sqlite> <port> [database]
var mode = args[0];
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls($"http://127.0.0.1:{args[1]}");
switch (mode)
{
    case "builtin":
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddDistributedMemoryCache(options => options.SizeLimit = null);
        builder.Services.AddSession(options => options.Cookie.Name = "sid");
        break;
    case "sojourn-memory" or "sojourn-sqlite":
        var sojourn = builder.Services.AddSojourn(options =>
        {
            options.Secrets = ["the benchmark's secret, 32 characters or more"];
            options.Cookie.Name = "sid";
            options.Cookie.Secure = Sojourn.CookieSecure.AsRequest;
        });
        _ = mode is "sojourn-memory" ? sojourn.UseMemory() : sojourn.UseSqlite($"Data Source={args[2]}");
        break;
}

var app = builder.Build();
switch (mode)
{
    case "builtin":
        app.UseSession();
        app.MapGet("/seed", BuiltIn.Seed);
        app.MapGet("/read", BuiltIn.Read);
        app.MapGet("/write", BuiltIn.Write);
        break;
    case "sojourn-memory" or "sojourn-sqlite":
        app.UseSojourn();
        app.MapGet("/seed", WithSojourn.Seed);
        app.MapGet("/read", WithSojourn.Read);
        app.MapGet("/write", WithSojourn.Write);
        break;
    default:
        app.MapGet("/seed", WithoutSession.Seed);
        app.MapGet("/read", WithoutSession.Read);
        app.MapGet("/write", WithoutSession.Write);
        break;
}

app.Run();
