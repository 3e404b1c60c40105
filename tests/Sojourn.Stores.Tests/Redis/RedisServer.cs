using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.Redis.RedisServer))]

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A Redis server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class RedisServer : IAsyncLifetime
{
    private readonly TempDirectory _directory;
    private string[] _options = [];
    private ServerProcess? _process;

    public RedisServer()
        : this(null)
    {
    }

    private RedisServer(SmallDisk? disk) => _directory = new TempDirectory(disk);

    public int Port { get; } = ServerProcess.FreePort();

    public string Configuration => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>The tests' own way in.</summary>
    public IConnectionMultiplexer Connection { get; private set; } = null!;

    public IServer Server => Connection.GetServer(Configuration);

    /// <summary>One for a test that hurts it.</summary>
    public static Task<RedisServer> StartNewAsync(params string[] options) => StartOnAsync(null, options);

    /// <summary>One whose data is on a disk of the test's own.</summary>
    internal static async Task<RedisServer> StartOnAsync(SmallDisk? disk, params string[] options)
    {
        var server = new RedisServer(disk) { _options = options };
        await server.InitializeAsync();
        return server;
    }

    public async ValueTask InitializeAsync()
    {
        Start();
        await _process!.UpAsync(async () =>
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port);
        });
        Connection = await ConnectionMultiplexer.ConnectAsync(Configuration + ",abortConnect=false,allowAdmin=true");
    }

    public void Start() => _process = ServerProcess.Start("redis-server",
    [
        "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _directory.Path, "--save", "",
        "--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0", "--daemonize", "no", .. _options,
    ]);

    public Task KillAsync() => _process!.KillAsync();

    public void Freeze() => _process!.Freeze();

    public void Thaw() => _process!.Thaw();

    public Task ConfigureAsync(string setting, string value) => Server.ConfigSetAsync(setting, value);

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await _process!.DisposeAsync();
        _directory.Dispose();
    }
}
