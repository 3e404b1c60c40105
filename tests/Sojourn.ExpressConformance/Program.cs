using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;
using Sojourn.ExpressConformance;

var sessionOptions = JsonNode.Parse(Environment.GetEnvironmentVariable("SESSION_OPTIONS") ?? "{}")!.AsObject();
var appOptions = JsonNode.Parse(Environment.GetEnvironmentVariable("APP_OPTIONS") ?? "{}")!.AsObject();
var ids = new IdSequence();
var kind = Environment.GetEnvironmentVariable("STORE") ?? "memory";
IConformanceStore backend = kind == "memory"
    ? new MemoryStore()
    : await DatabaseStore.OpenAsync(kind, new Uri(Environment.GetEnvironmentVariable("STORE_URL")!));
var store = new RecordingStore(backend, canTouch: appOptions["noTouch"]?.GetValue<bool>() != true);
var lateErrors = new List<string>();

var app = Build(services => services.AddExpressSession(options => OptionsJson.Read(sessionOptions, options, ids)).UseStore(_ => store));
app.Use(async (context, next) =>
{
    // What Express's error middleware does with next(err).
    try
    {
        await next(context);
    }
    catch (Exception e)
    {
        if (context.Response.HasStarted)
        {
            lateErrors.Add(Operations.MessageOf(e));
            return;
        }

        context.Response.StatusCode = (e as OperationException)?.Status ?? StatusCodes.Status500InternalServerError;
        context.Response.ContentType = "text/plain";
        context.Response.ContentLength = null;
        await context.Response.WriteAsync(Operations.MessageOf(e));
    }
});
if (appOptions["trustProxy"]?.GetValue<bool>() == true)
{
    var forwarded = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedProto };
    forwarded.KnownIPNetworks.Clear();
    forwarded.KnownProxies.Clear();
    app.UseForwardedHeaders(forwarded);
}

app.Use((context, next) =>
{
    if (context.Request.Headers.TryGetValue("X-Secure", out var secure))
    {
        context.Request.Scheme = secure == "true" ? "https" : "http";
    }

    return next(context);
});
if (appOptions["mount"]?.GetValue<string>() is { } mount)
{
    app.UseWhen(context => context.Request.Path.StartsWithSegments(mount), branch => branch.UseSojourn());
}
else
{
    app.UseSojourn();
}

app.Run(context => new Operations(context, store).RunAsync());
try
{
    await app.StartAsync();
}
catch (Exception e) when (e is OptionsValidationException or ArgumentException or FormatException)
{
    // express-session finds out when it writes its first cookie, and answers errors; Sojourn does not start.
    await app.DisposeAsync();
    app = Build(_ => { });
    app.Run(context =>
    {
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        return context.Response.WriteAsync(e.Message);
    });
    await app.StartAsync();
}

await app.WaitForShutdownAsync();

WebApplication Build(Action<IServiceCollection> addSessions)
{
    var builder = WebApplication.CreateSlimBuilder();
    builder.Logging.ClearProviders().AddProvider(new LateErrorLog(lateErrors));
    builder.WebHost.UseKestrelHttpsConfiguration();
    builder.WebHost.ConfigureKestrel(kestrel =>
    {
        var port = int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "3000", CultureInfo.InvariantCulture);
        kestrel.Listen(IPAddress.Loopback, port, endpoint =>
        {
            if (Environment.GetEnvironmentVariable("TLS") == "1")
            {
                using var pem = X509Certificate2.CreateFromPemFile(
                    Environment.GetEnvironmentVariable("TLS_CERT")!, Environment.GetEnvironmentVariable("TLS_KEY")!);
                endpoint.UseHttps(X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pfx), null));
            }
        });
    });
    addSessions(builder.Services);
    var built = builder.Build();
    built.Use((context, next) => ControlEndpoints.HandleAsync(context, next, store, ids, lateErrors));
    return built;
}
