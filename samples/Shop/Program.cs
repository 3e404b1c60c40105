using Microsoft.AspNetCore.Mvc;
using Shop;
using Sojourn;

var builder = WebApplication.CreateBuilder(args);

var database = Path.Combine(builder.Environment.ContentRootPath, builder.Configuration["Shop:Database"] ?? "App_Data/shop.db");
Directory.CreateDirectory(Path.GetDirectoryName(database)!);

builder.Services
    .AddSojourn(options => options.IdleTimeout = TimeSpan.FromHours(2))
    .UseSqlite($"Data Source={database}");

// SameOriginWrites below guards the forms, and needs no token in them.
builder.Services.AddRazorPages(options => options.Conventions.ConfigureFilter(new IgnoreAntiforgeryTokenAttribute()));

var app = builder.Build();

app.UseExceptionHandler("/oops");
app.UseStatusCodePagesWithReExecute("/oops");
app.UseMiddleware<SameOriginWrites>();
app.UseSojourn();

app.MapStaticAssets().WithoutSession();
app.MapRazorPages();

app.MapPost("/sign-out", async (Session session) =>
{
    await session.DestroyAsync();
    return Results.LocalRedirect("/");
});

// What a visitor types at the checkout is kept field by field, so that a closed tab or a restarted server costs them nothing.
app.MapPut("/checkout/draft/{field}", (Session session, string field, [FromBody] string value) =>
{
    if (!Draft.Fields.Contains(field))
    {
        return Results.Problem(statusCode: 404, title: "The form has no such field.");
    }

    if (!session.Contains("cart"))
    {
        return Results.Problem(statusCode: 409, title: "There is no cart to check out.");
    }

    session.Update<Draft>("checkout", draft => (draft ?? new()).With(field, value));
    return Results.NoContent();
});

app.Run();
