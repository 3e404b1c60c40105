using System.Globalization;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A Redis server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class RedisServer : IAsyncLifetime
{
    private readonly TempDirectory _directory = new();
    private readonly int _port = ServerProcess.FreePort();
    private ServerProcess? _process;

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
        _process = ServerProcess.Start("redis-server", arguments);
    }

    public async Task KillAsync() => await _process!.KillAsync();

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _process!.DisposeAsync();
        _directory.Dispose();
    }
}
