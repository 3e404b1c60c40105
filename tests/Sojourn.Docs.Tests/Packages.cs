using System.Diagnostics;
using System.Reflection;

[assembly: AssemblyFixture(typeof(Sojourn.Docs.Tests.Packages))]

namespace Sojourn.Docs.Tests;

/// <summary>Every package, packed once from what has been built, in a folder that serves as a feed.</summary>
public sealed class Packages : IAsyncLifetime
{
    internal static readonly string Root = typeof(Packages).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(
        a => a.Key == "RepositoryRoot").Value!;

    private readonly string _folder = Directory.CreateTempSubdirectory("sojourn-packages-").FullName;
    private readonly Lazy<Task<string>> _feed;

    public Packages() => _feed = new(PackAsync);

    /// <summary>For what is installed from the packages.</summary>
    public string Temporary => Directory.CreateDirectory(Path.Combine(_folder, "installed")).FullName;

    /// <summary>Where the packages are.</summary>
    public Task<string> FeedAsync() => _feed.Value;

    /// <summary>Runs a program to its end, in a folder, with packages of its own: those of the feed must not stay in the user's cache.</summary>
    internal static async Task<string> RunAsync(string folder, string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(StartInfo(folder, program, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}{await error}");
    }

    private async Task<string> PackAsync()
    {
        var feed = Path.Combine(_folder, "feed");
        await RunAsync(Root, "dotnet", "pack", "Sojourn.slnx", "-c", "Release", "--no-build", "-o", feed, "-v", "q", "-nodeReuse:false");
        return feed;
    }

    internal static ProcessStartInfo StartInfo(string folder, string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        (start.Environment["DOTNET_CLI_UI_LANGUAGE"], start.Environment["DOTNET_NOLOGO"], start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"]) = ("en", "1", "1");
        return start;
    }

    public ValueTask InitializeAsync() => default;

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return default;
    }
}
