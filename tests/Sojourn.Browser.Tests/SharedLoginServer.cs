using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Sojourn.Browser.Tests;

/// <summary>The shop of two applications on a database, started by the sample's one command.</summary>
/// <param name="store">The database, as the command calls it.</param>
public class SharedLoginServer(string store) : IAsyncLifetime
{
    private readonly int _front = ShopServer.FreePort();
    private readonly int _nest = ShopServer.FreePort();
    private Process? _process;

    public string Address => string.Create(CultureInfo.InvariantCulture, $"http://localhost:{_front}");

    public async ValueTask InitializeAsync()
    {
        // Ctrl+C reaches it also where the tests themselves run in the background, which is to ignore it.
        string[] arguments = ["--default-signal=INT", Path.Combine(ShopServer.Metadata("NestPort"), "..", "SharedLogin", "run.sh"), store, "--no-build"];
        _process = Process.Start(new ProcessStartInfo("env", arguments)
        {
            Environment =
            {
                ["FRONT_PORT"] = _front.ToString(CultureInfo.InvariantCulture),
                ["NEST_PORT"] = _nest.ToString(CultureInfo.InvariantCulture),
            },
        })!;
        while (!IsListening(_front))
        {
            Assert.False(_process.HasExited, "The sample did not start.");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        }
    }

    /// <summary>As Ctrl+C, or an operator, ends it.</summary>
    public async Task StopAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-s", signal, _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        await _process.WaitForExitAsync();
    }

    public bool IsListening() => IsListening(_front) || IsListening(_nest);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_process is { HasExited: false })
        {
            await StopAsync("TERM");
        }

        _process?.Dispose();
    }

    private static bool IsListening(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
