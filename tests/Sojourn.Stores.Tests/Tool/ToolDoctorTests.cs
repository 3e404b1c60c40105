using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>sojourn doctor, on running applications.</summary>
public sealed class ToolDoctorTests
{
    [Fact]
    public async Task An_application_as_it_is_by_default_in_Production_passes()
    {
        await using var app = await StartAsync("Production", static app =>
        {
            app.UseSojourn();
            app.Map("/", static (Session session) => session.Set("seen", true));
        });
        var run = await ToolRun.RunAsync("doctor", app.Urls.First(), "--insecure", "--json");
        Assert.True(run.Code == 0, run.Error + run.Output);
        Assert.Equal(["Strict-Transport-Security"], Checks(run, "advice"));
        Assert.Empty(Checks(run, "fail"));
    }

    [Fact]
    public async Task Development_over_http_is_told_what_is_missing_there()
    {
        await using var app = await StartAsync("Development", static app =>
        {
            app.UseSojourn();
            app.MapPost("/", static (Session session) => session.Set("seen", true));
        }, isSecure: false);
        Assert.Equal(2, (await ToolRun.RunAsync("doctor", app.Urls.First())).Code);
        var run = await ToolRun.RunAsync("doctor", app.Urls.First(), "--method", "post", "--json");
        Assert.Equal(1, run.Code);
        Assert.Equal(["it is asked for over https", "Secure", "__Host- in the name"], Checks(run, "fail"));
    }

    [Fact]
    public async Task An_application_that_does_everything_wrong_hears_of_all_of_it()
    {
        await using var app = await StartAsync("Production", static app => app.Map("/", static (HttpContext http) =>
        {
            // Whatever comes is taken for an id, from the cookie or the URL.
            var id = (http.Request.Cookies["connect.sid"] ?? http.Request.Query["connect.sid"].FirstOrDefault() ?? "s:1234567890." + new string('A', 43));
            id = id.StartsWith("s:", StringComparison.Ordinal) ? id : $"s:{id}." + new string('A', 43);
            http.Response.Headers.Append("Set-Cookie", $"connect.sid={Uri.EscapeDataString(id)}; Domain=localhost; Max-Age=99999999; SameSite=None");
            http.Response.Headers.Append("Set-Cookie", $"connect.sid={Uri.EscapeDataString(id)}");
            return Results.Text("Your id is " + id);
        }));
        var run = await ToolRun.RunAsync("doctor", app.Urls.First(), "--insecure", "--json");
        Assert.Equal(1, run.Code);
        Assert.Equal(
            [
                "Secure", "__Host- in the name", "HttpOnly", "SameSite is said", "the name tells no technology", "one Set-Cookie of the name",
                "ids are long and never the same", "a forged token is a stranger's", "an id of the visitor's choice is not taken",
                "an altered signature opens nothing", "an id in the URL is nobody's",
                "caches keep nobody's page", "the token is in Set-Cookie alone",
            ],
            Checks(run, "fail"));
        var text = await ToolRun.RunAsync("doctor", app.Urls.First(), "--insecure");
        Assert.Contains("13 checks failed.", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("1234567890", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_there_is_a_failure() =>
        Assert.Equal(3, (await ToolRun.RunAsync("doctor", $"http://127.0.0.1:{ServerProcess.FreePort()}/")).Code);

    private static IEnumerable<string> Checks(ToolRun run, string verdict) =>
        run.Json["checks"]!.AsArray().Where(check => (string?)check!["verdict"] == verdict).Select(check => (string)check!["check"]!);

    private static async Task<WebApplication> StartAsync(string environment, Action<WebApplication> map, bool isSecure = true)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = environment, ApplicationName = "doctor-tests" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (isSecure) listen.UseHttps(Certificate());
        }));
        builder.Services.AddRoutingCore();
        builder.Services.AddLogging(logging => logging.ClearProviders());
        builder.Services.AddSojourn(o => o.Secrets = ["a secret that only these tests know"]);
        var app = builder.Build();
        app.UseRouting();
        map(app);
        await app.StartAsync();
        return app;
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }
}
