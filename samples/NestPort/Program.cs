using NestPort;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddControllers();
builder.Services.AddExpressSession(options =>
{
    options.Secret = "my-secret";
    options.Resave = false;
    options.SaveUninitialized = false;
});

var app = builder.Build();
app.UseSojourn();
app.MapControllers();
app.MapGet("/", SideBySide.PageAsync).WithoutSession();
await app.RunAsync();
