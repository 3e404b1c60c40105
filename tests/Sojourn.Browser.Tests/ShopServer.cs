using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Reflection;

namespace Sojourn.Browser.Tests;

/// <summary>The shop as a program of its own, on a port and a database that it finds again when it is started after a crash.</summary>
public sealed class ShopServer : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sojourn-shop-");
    private readonly int _port = FreePort();
    private Process? _process;

    public string Address => $"http://127.0.0.1:{_port}";

    /// <param name="settings">Settings of the shop's own, such as <c>--Shop:FreshSignIn=00:00:01</c>.</param>
    public async Task StartAsync(params string[] settings)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = Metadata("ShopProject"), RedirectStandardOutput = true };
        foreach (var argument in (string[])
        [
            Metadata("ShopAssembly"), "--environment=Development", $"--urls={Address}", $"--Shop:Database={Path.Combine(_directory.FullName, "shop.db")}",
            "--Sojourn:Secrets:0=the-secret-of-the-browser-tests-only", .. settings,
        ])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var output = new List<string>();
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => started.TrySetException(new InvalidOperationException("The shop did not start:\n" + string.Join('\n', output)));
        _process.OutputDataReceived += (_, line) =>
        {
            output.Add(line.Data ?? "");
            if (line.Data?.Contains("Application started", StringComparison.Ordinal) == true)
            {
                started.TrySetResult();
            }
        };
        _process.BeginOutputReadLine();
        await started.Task;
    }

    /// <summary>As a power cut does it: SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _directory.Delete(recursive: true);
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    internal static string Metadata(string key) =>
        typeof(ShopServer).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
