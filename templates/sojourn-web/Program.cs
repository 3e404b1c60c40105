#if (signIn)
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
#endif
using Sojourn;

var builder = WebApplication.CreateBuilder(args);
var sojourn = builder.Services.AddSojourn();
#if (store == "sqlite")
sojourn.UseSqlite(builder.Configuration.GetConnectionString("Sessions")!);
#elif (store == "redis")
sojourn.UseRedis(builder.Configuration.GetConnectionString("Sessions")!);
#elif (store == "postgresql")
sojourn.UsePostgreSql(builder.Configuration.GetConnectionString("Sessions")!);
#elif (store == "mysql")
sojourn.UseMySql(builder.Configuration.GetConnectionString("Sessions")!);
#elif (store == "mongodb")
sojourn.UseMongoDb(builder.Configuration.GetConnectionString("Sessions")!);
#else
sojourn.UseMemory();
#endif
#if (signIn)
builder.Services.AddAuthentication().AddSojourn();
builder.Services.AddAuthorization();
#endif

var app = builder.Build();
#if (signIn)
app.UseAuthentication();
app.UseAuthorization();
#endif
app.UseSojourn();

app.MapGet("/", (Session session) =>
{
    session.Update<int>("visits", visits => visits + 1);
    return $"Visits: {session.Get<int>("visits")}";
});
#if (signIn)

// Put the check of a password here.
app.MapPost("/sign-in/{name}", async (HttpContext context, string name) =>
{
    await context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", name), new Claim("name", name)], "password", "name", "role")));
    return TypedResults.NoContent();
});
app.MapPost("/sign-out", async (HttpContext context) =>
{
    await context.SignOutAsync();
    return TypedResults.NoContent();
});
app.MapGet("/me", (ClaimsPrincipal user) => user.Identity!.Name).RequireAuthorization();

// The user's other devices: listed, and ended.
app.MapSojournAccount("/account/sessions");
#endif

app.Run();
