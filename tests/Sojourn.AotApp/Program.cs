using System.Text.Json;
using System.Text.Json.Serialization;
using Sojourn;
using Sojourn.AspNetCore;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));
builder.Services
    .AddSojourn(o => o.UseJson(new JsonSerializerOptions(JsonSerializerDefaults.Web) { TypeInfoResolver = AppJson.Default }))
    .UseSqlite(builder.Configuration["Database"] ?? "Data Source=sessions.db")
    .WithDeviceBinding()
    .WithEncryption();

var app = builder.Build();
app.UseSojourn();
app.MapPost("/cart/{sku}", (Session session, string sku) => session.Update<Cart>("cart", cart => new Cart([.. cart?.Items ?? [], sku])));
app.MapGet("/cart", (Session session) => session.Get<Cart>("cart") ?? new Cart([]));
app.MapPost("/note/{text}", (HttpContext context, string text) => context.Session.SetString("note", text));
app.MapGet("/note", (HttpContext context) => context.GetSession().Get<string>("note") ?? "none");
app.MapPost("/count", (SessionEntry<int> count) => count.Update(value => value + 1));
app.MapGet("/count", (SessionEntry<int> count) => count.Value);
app.MapPost("/renew", async (Session session) => await session.SignInAsync("ada"));
app.MapGet("/who", (Session session) => session.Subject ?? "nobody");
app.MapPost("/destroy", async (Session session) => await session.DestroyAsync());
app.Run();

internal sealed record Cart(IReadOnlyList<string> Items);

[JsonSerializable(typeof(Cart))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(string))]
internal sealed partial class AppJson : JsonSerializerContext;
