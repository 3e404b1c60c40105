using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Sojourn.Docs.Tests;

/// <summary>dotnet new sojourn-web, from the packages, as somebody does it who begins.</summary>
public sealed class TemplateTests(Packages packages)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Stores => ["sqlite", "redis", "postgresql", "mysql", "mongodb", "memory"];

    [Fact]
    public async Task A_new_application_builds_and_remembers_its_visitor()
    {
        var folder = await NewAsync("First", "--sign-in");
        await Packages.RunAsync(folder, "dotnet", "build", "-c", "Release", "-nodeReuse:false", "-p:TreatWarningsAsErrors=true");
        var url = new Uri($"http://127.0.0.1:{FreePort()}");
        var start = Packages.StartInfo(folder, "dotnet", ["exec", Path.Combine("bin", "Release", "net10.0", "First.dll")]);
        (start.Environment["ASPNETCORE_URLS"], start.Environment["ASPNETCORE_ENVIRONMENT"], start.Environment["Sojourn__Secrets__0"]) =
            (url.ToString(), "Development", "a secret that only this test knows");
        using var program = Process.Start(start)!;
        var output = program.StandardOutput.ReadToEndAsync(Token);
        try
        {
            using var visitor = new HttpClient(new SocketsHttpHandler { CookieContainer = new CookieContainer() }) { BaseAddress = url };
            Assert.Equal("Visits: 1", await GetAsync(visitor, "/", program));
            Assert.Equal("Visits: 2", await GetAsync(visitor, "/", program));
            using var signIn = await visitor.PostAsync(new Uri("/sign-in/ada", UriKind.Relative), null, Token);
            Assert.Equal(HttpStatusCode.NoContent, signIn.StatusCode);
            Assert.Equal("ada", await visitor.GetStringAsync(new Uri("/me", UriKind.Relative), Token));
            Assert.True(File.Exists(Path.Combine(folder, "sessions.db")));
        }
        finally
        {
            program.Kill();
            await program.WaitForExitAsync(CancellationToken.None);
            await output;
        }
    }

    /// <summary>Each choice is compiled against the same packages, without restoring all of their drivers anew.</summary>
    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Each_store_has_its_package_its_call_and_its_connection_string(string store)
    {
        var folder = await NewAsync("Of" + store, "--store", store);
        var (program, project, settings) =
            (await ReadAsync(folder, "Program.cs"), await ReadAsync(folder, $"Of{store}.csproj"), await ReadAsync(folder, "appsettings.json"));
        var name =
            store switch { "sqlite" => "Sqlite", "redis" => "Redis", "postgresql" => "PostgreSql", "mysql" => "MySql", "mongodb" => "MongoDb", _ => "Memory" };
        Assert.Contains($"sojourn.Use{name}(", program, StringComparison.Ordinal);
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(program, @"sojourn\.Use\w+\("));
        Assert.DoesNotContain("#if", program + project + settings, StringComparison.Ordinal);
        Assert.DoesNotContain("SOJOURN_VERSION", project, StringComparison.Ordinal);
        Assert.Equal(store is "memory" ? 1 : 2, System.Text.RegularExpressions.Regex.Count(project, "<PackageReference"));
        Assert.Equal(store is not "memory", project.Contains($"\"Sojourn.{name}\" Version=\"0.1.0\"", StringComparison.Ordinal));
        using var json = System.Text.Json.JsonDocument.Parse(settings);
        Assert.Equal(store is not "memory", json.RootElement.TryGetProperty("ConnectionStrings", out _));
    }

    private static readonly SemaphoreSlim Installing = new(1, 1);

    private async Task<string> NewAsync(string name, params string[] options)
    {
        var (feed, hive) = (await packages.FeedAsync(), Path.Combine(packages.Temporary, "hive"));
        await Installing.WaitAsync(Token);
        try
        {
            if (!Directory.Exists(hive)) await Packages.RunAsync(
                feed, "dotnet", "new", "install", Path.Combine(feed, "Sojourn.Templates.0.1.0.nupkg"), "--debug:custom-hive", hive);
        }
        finally
        {
            Installing.Release();
        }

        var folder = Path.Combine(packages.Temporary, name);
        await Packages.RunAsync(
            packages.Temporary, "dotnet", ["new", "sojourn-web", "-o", folder, "-n", name, "--no-restore", "--debug:custom-hive", hive, .. options]);

        // The packages of the feed stay here; all others are taken from the user's cache.
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"),
            $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(packages.Temporary, "packages")}" /></config>
              <fallbackPackageFolders><add key="cache" value="{cache}" /></fallbackPackageFolders>
              <packageSources><add key="packed" value="{feed}" /></packageSources>
            </configuration>
            """, Token);
        return folder;
    }

    private static async Task<string> ReadAsync(string folder, string file) => await File.ReadAllTextAsync(Path.Combine(folder, file), Token);

    private static async Task<string> GetAsync(HttpClient visitor, string path, Process program)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await visitor.GetStringAsync(new Uri(path, UriKind.Relative), Token);
            }
            catch (HttpRequestException) when (attempt < 300 && !program.HasExited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
