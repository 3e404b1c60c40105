using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A Redis server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class RedisServer : IAsyncLifetime
{
    private readonly TempDirectory _directory = new();
    private readonly int _port = FreePort();
    private Process? _process;

    public string Configuration => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    public IConnectionMultiplexer Connection { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Start();
        Connection = await ConnectionMultiplexer.ConnectAsync(Configuration + ",abortConnect=false,connectRetry=50,allowAdmin=true");
    }

    public void Start(params string[] more)
    {
        string[] arguments =
        [
            "--port", _port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _directory.Path,
            "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no", .. more,
        ];
        _process = Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
    }

    /// <summary>As a crash does it: SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        if (_process is not null)
        {
            await KillAsync();
        }

        _directory.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
