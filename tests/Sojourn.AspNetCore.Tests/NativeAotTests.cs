using System.Diagnostics;
using System.Net;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Publishes Sojourn.AotApp as a native program, warnings as errors, and runs it.</summary>
public sealed class NativeAotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static string Root { get; } = typeof(NativeAotTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(
        a => a.Key == "RepositoryRoot").Value!;

    [Fact]
    public async Task A_native_program_publishes_without_a_warning_and_keeps_sessions()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64, "Publishes for linux-x64.");
        var artifacts = Path.Combine(Root, "artifacts", "native-aot");
        await PublishAsync(artifacts);

        var folder = Directory.CreateTempSubdirectory("sojourn-aot-");
        try
        {
            using var program = Start(Path.Combine(artifacts, "publish", "Sojourn.AotApp", "release_linux-x64", "Sojourn.AotApp"), folder.FullName);
            try
            {
                await UseAsync(await AddressAsync(program));
            }
            finally
            {
                program.Kill();
                await program.WaitForExitAsync(Token);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task PublishAsync(string artifacts)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Root,
            ArgumentList =
            {
                "publish", Path.Combine("tests", "Sojourn.AotApp", "Sojourn.AotApp.csproj"),
                "-c", "Release", "-r", "linux-x64", "--artifacts-path", artifacts, "--disable-build-servers", "--nologo", "-v", "q",
            },
        };

        // What the build that runs these tests says to its own children is not for this one.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        using var publish = Process.Start(start)!;
        var error = publish.StandardError.ReadToEndAsync(Token);
        var output = await publish.StandardOutput.ReadToEndAsync(Token);
        await publish.WaitForExitAsync(Token);
        Assert.True(publish.ExitCode == 0, output + await error);
        Assert.DoesNotContain("warning", output, StringComparison.OrdinalIgnoreCase);
    }

    private static Process Start(string path, string folder) => Process.Start(new ProcessStartInfo(path)
    {
        RedirectStandardOutput = true,
        WorkingDirectory = folder,
        Environment =
        {
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["Sojourn__Secrets__0"] = TestApp.Secret,
            ["Sojourn__Encryption__Keys__0__Name"] = "first",
            ["Sojourn__Encryption__Keys__0__Key"] = Convert.ToBase64String(new byte[32]),
            ["Sojourn__Cookie__Name"] = "aot",
            ["Sojourn__Cookie__Secure"] = "AsRequest",
        },
    })!;

    private static async Task<Uri> AddressAsync(Process program)
    {
        const string announcement = "Now listening on: ";
        while (await program.StandardOutput.ReadLineAsync(Token) is { } line)
        {
            if (line.IndexOf(announcement, StringComparison.Ordinal) is >= 0 and var at)
            {
                _ = program.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return new Uri(line[(at + announcement.Length)..]);
            }
        }

        throw new InvalidOperationException("The program ended before it listened.");
    }

    private static async Task UseAsync(Uri address)
    {
        using var client = new HttpClient(new SocketsHttpHandler { CookieContainer = new CookieContainer() }) { BaseAddress = address };
        Assert.Equal("none", await client.GetStringAsync("/note", Token));
        using var first = await client.PostAsync("/note/hello", null, Token);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.StartsWith("aot=s%3A", Assert.Single(first.Headers.GetValues("Set-Cookie")), StringComparison.Ordinal);
        Assert.Equal("hello", await client.GetStringAsync("/note", Token));
        (await client.PostAsync("/cart/apple", null, Token)).EnsureSuccessStatusCode();
        (await client.PostAsync("/cart/pear", null, Token)).EnsureSuccessStatusCode();
        Assert.Equal("""{"items":["apple","pear"]}""", await client.GetStringAsync("/cart", Token));
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => (await client.PostAsync("/count", null, Token)).EnsureSuccessStatusCode()));
        Assert.Equal("20", await client.GetStringAsync("/count", Token));
        using var renewed = await client.PostAsync("/renew", null, Token);
        Assert.NotEqual(first.Headers.GetValues("Set-Cookie"), renewed.EnsureSuccessStatusCode().Headers.GetValues("Set-Cookie"));
        Assert.Equal("ada", await client.GetStringAsync("/who", Token));
        Assert.Equal("20", await client.GetStringAsync("/count", Token));
        (await client.PostAsync("/destroy", null, Token)).EnsureSuccessStatusCode();
        Assert.Equal("none", await client.GetStringAsync("/note", Token));
    }
}
