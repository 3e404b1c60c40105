using Microsoft.AspNetCore.Mvc;
using Shop;

var builder = WebApplication.CreateBuilder(args);

var database = Path.Combine(builder.Environment.ContentRootPath, builder.Configuration["Shop:Database"] ?? "App_Data/shop.db");
Directory.CreateDirectory(Path.GetDirectoryName(database)!);

builder.Services
    .AddSojourn(options =>
    {
        options.IdleTimeout = TimeSpan.FromHours(2);
        options.MaxSessionsPerSubject = 20;
    })
    .UseSqlite($"Data Source={database}")
    .WithDeviceBinding();

// The user is kept in the session: there is no other cookie.
builder.Services.AddAuthentication().AddSojourn(options =>
{
    options.LoginPath = "/sign-in";
    options.AccessDeniedPath = "/oops";
});
builder.Services.AddAuthorizationBuilder().AddPolicy(Users.Operator, policy => policy.RequireRole(Users.Operator));
builder.Services.AddSingleton<Users>();

// Operators see all sessions and end them; what is in the carts they do not see.
builder.Services.AddSojournDashboard(options => (options.ReadPolicy, options.EndPolicy) = (Users.Operator, Users.Operator));

// SameOriginWrites below guards the forms, and needs no token in them.
builder.Services.AddRazorPages(options => options.Conventions.ConfigureFilter(new IgnoreAntiforgeryTokenAttribute()));

var app = builder.Build();

app.UseExceptionHandler("/oops");
app.UseStatusCodePagesWithReExecute("/oops");
app.UseMiddleware<SameOriginWrites>();
app.UseSojourn();

app.MapStaticAssets().WithoutSession();
app.MapRazorPages();

// How long after the password was asked a user may do what cannot be taken back.
var freshSignIn = app.Configuration.GetValue("Shop:FreshSignIn", TimeSpan.FromMinutes(5));
app.MapAccount(freshSignIn);
app.MapCheckout(freshSignIn);
app.MapSojournDashboard("/operator/sessions");

app.Run();
