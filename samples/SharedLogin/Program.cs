using SharedLogin;
using Sojourn.AspNetCore;
using Yarp.ReverseProxy.Transforms;

var builder = WebApplication.CreateBuilder(args);
var configuration = builder.Configuration;
builder.Services.AddHttpForwarder();

// What nest/src/main.ts says, in the same words.
builder.Services
    .AddExpressSession(options =>
    {
        options.Secret = configuration["SESSION_SECRET"]!;
        options.Resave = false;
        options.SaveUninitialized = false;
        options.Cookie = new() { SameSite = ExpressSameSite.Lax, MaxAge = TimeSpan.FromHours(2) };
    })
    .UseStoreOf(configuration["STORE"]!, new Uri(configuration["STORE_URL"]!));

var app = builder.Build();
app.UseMiddleware<SameOriginWrites>();
app.UseSojourn();
app.MapStaticAssets().WithoutSession();

// These routes have moved. SameOriginWrites guards their forms, and needs no token in them.
var cart = app.MapGroup("/cart").DisableAntiforgery();
cart.MapGet("", CartPages.Show);
cart.MapPost("", CartPages.Add);
cart.MapPost("note", CartPages.KeepNote);
cart.MapPost("sign-out", CartPages.SignOutAsync);

// All others are still NestJS's, with the visitor's cookie; their session is its business alone.
app.MapForwarder("/{**rest}", configuration["NEST_URL"]!, transforms => transforms.AddOriginalHost().AddXForwarded()).WithoutSession();

await app.RunAsync();
