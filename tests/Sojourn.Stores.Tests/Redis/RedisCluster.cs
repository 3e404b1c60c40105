using System.Globalization;
using System.Net;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.Redis.RedisCluster))]

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A Redis Cluster of the tests' own: three primaries with a replica each, made by the first test that asks for it.</summary>
public sealed class RedisCluster : IAsyncLifetime
{
    private const int Nodes = 6;
    private readonly TempDirectory _directory = new();
    private readonly int[] _ports = [.. Enumerable.Range(0, Nodes).Select(_ => ServerProcess.FreePort())];
    private readonly int[] _busPorts = [.. Enumerable.Range(0, Nodes).Select(_ => ServerProcess.FreePort())];
    private readonly ServerProcess?[] _processes = new ServerProcess?[Nodes];
    private readonly Lock _gate = new();
    private Task<IConnectionMultiplexer>? _connection;

    /// <summary>Half of the nodes: the driver finds the others.</summary>
    public string Configuration => string.Join(',', _ports.Take(3).Select(Address));

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The tests' own way in, once the cluster stands.</summary>
    public Task<IConnectionMultiplexer> ConnectAsync()
    {
        lock (_gate) return _connection ??= CreateAsync();
    }

    /// <summary>A key that matches a pattern.</summary>
    public async Task<RedisKey> AnyKeyAsync(string pattern)
    {
        foreach (var server in (await ConnectAsync()).GetServers().Where(server => !server.IsReplica))
        {
            await foreach (var key in server.KeysAsync(pattern: pattern)) return key;
        }

        throw new InvalidOperationException("There is none.");
    }

    /// <summary>Waits until the primary that holds a key is another than the one that was killed, and answers.</summary>
    public async Task PromotedAsync(RedisKey key)
    {
        var database = (await ConnectAsync()).GetDatabase();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await database.StringSetAsync($"{{{key}}}promoted", 1, TimeSpan.FromMinutes(1));
                return;
            }
            catch (Exception e) when (e is RedisException or TimeoutException && attempt < 300)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }
    }

    /// <summary>Keeps the replica of the primary that holds a key from hearing of it: the password that it gives is refused.</summary>
    /// <returns>What lets it.</returns>
    public async Task<Func<Task>> CutReplicaOfAsync(RedisKey key)
    {
        var primary = (await PortOfPrimaryAsync(key)).ToString(CultureInfo.InvariantCulture);
        foreach (var port in _ports)
        {
            // Not by the tests' connection, which may have no way to a replica yet.
            if ((await CommandAsync(port, "role")).Split('\n') is not ["slave", _, var of, ..] || of != primary) continue;
            await CommandAsync(port, "config", "set", "masterauth", "refused");
            Assert.Equal("1", await CommandAsync(port, "client", "kill", "type", "master"));
            return () => CommandAsync(port, "config", "set", "masterauth", "");
        }

        throw new InvalidOperationException("There is none.");
    }

    /// <summary>Has the primary where a key belongs send whoever wants it to another one, which sends them back.</summary>
    /// <returns>What ends that.</returns>
    public async Task<Func<Task>> MisleadAsync(RedisKey key)
    {
        var port = await PortOfPrimaryAsync(key);
        var other = (await ConnectAsync()).GetServers().First(server => !server.IsReplica && ((IPEndPoint)server.EndPoint).Port != port);
        await SendAsync(await CommandAsync(((IPEndPoint)other.EndPoint).Port, "cluster", "myid"));
        return async () => await SendAsync(await CommandAsync(port, "cluster", "myid"));

        async Task SendAsync(string node) => Assert.Equal("OK",
            await CommandAsync(port, "cluster", "setslot", (await ConnectAsync()).HashSlot(key).ToString(CultureInfo.InvariantCulture), "node", node));
    }

    /// <summary>Makes the replica of the primary that holds a key the primary, as an operator does it.</summary>
    public async Task FailOverAsync(RedisKey key)
    {
        var primary = (await PortOfPrimaryAsync(key)).ToString(CultureInfo.InvariantCulture);
        foreach (var port in _ports)
        {
            if ((await CommandAsync(port, "role")).Split('\n') is not ["slave", _, var of, ..] || of != primary) continue;
            for (var attempt = 0; !(await CommandAsync(port, "role")).StartsWith("master", StringComparison.Ordinal); attempt++)
            {
                Assert.True(attempt < 3000, "It does not take over.");

                // The servers give it up after five seconds; an operator asks again, too.
                if (attempt % 1000 == 0) await CommandAsync(port, "cluster", "failover");
            }

            return;
        }

        throw new InvalidOperationException("There is none.");
    }

    /// <summary>Kills the primary that holds a key, as a crash does it.</summary>
    /// <returns>What starts it again.</returns>
    public async Task<Action> KillPrimaryOfAsync(RedisKey key) => await KillAsync(await PortOfPrimaryAsync(key));

    /// <summary>Kills a node, as a crash does it.</summary>
    /// <returns>What starts it again.</returns>
    public async Task<Action> KillAsync(int port)
    {
        var node = Array.IndexOf(_ports, port);
        await _processes[node]!.KillAsync();
        return () => Start(node);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await (await _connection).DisposeAsync();
        foreach (var process in _processes)
        {
            if (process is not null) await process.DisposeAsync();
        }

        _directory.Dispose();
    }

    private async Task<int> PortOfPrimaryAsync(RedisKey key) =>
        ((IPEndPoint)(await ConnectAsync()).GetServer(key, flags: CommandFlags.DemandMaster).EndPoint).Port;

    private static string Address(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    private async Task<IConnectionMultiplexer> CreateAsync()
    {
        for (var node = 0; node < Nodes; node++) Start(node);
        foreach (var (port, process) in _ports.Zip(_processes)) await process!.UpAsync(() => PingAsync(port));
        await ServerProcess.RunAsync("redis-cli", ["--cluster", "create", .. _ports.Select(Address), "--cluster-replicas", "1", "--cluster-yes"]);
        foreach (var (port, process) in _ports.Zip(_processes)) await process!.UpAsync(() => StandsAsync(port));

        // All of them: a node that the driver has to find first may not be connected to for a long time.
        return await ConnectionMultiplexer.ConnectAsync(string.Join(',', _ports.Select(Address)) + ",allowAdmin=true");
    }

    private void Start(int node)
    {
        var directory = Directory.CreateDirectory(Path.Combine(_directory.Path, node.ToString(CultureInfo.InvariantCulture)));
        _processes[node] = ServerProcess.Start("redis-server",
        [
            "--port", _ports[node].ToString(CultureInfo.InvariantCulture), "--cluster-port", _busPorts[node].ToString(CultureInfo.InvariantCulture), "--bind",
            "127.0.0.1",
            "--dir", directory.FullName, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
            "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--daemonize", "no",
        ]);
    }

    private static Task<string> PingAsync(int port) => CommandAsync(port, "ping");

    private static async Task<string> CommandAsync(int port, params string[] command) =>
        (await ServerProcess.RunAsync("redis-cli", ["-p", port.ToString(CultureInfo.InvariantCulture), .. command])).Trim();

    /// <summary>Fails until a node knows each replica as one, too: until then it does not vote for it.</summary>
    private static async Task StandsAsync(int port)
    {
        var cluster = await CommandAsync(port, "cluster", "info");
        var nodes = await CommandAsync(port, "cluster", "nodes");
        var replication = await CommandAsync(port, "info", "replication");
        if (!cluster.Contains("cluster_state:ok", StringComparison.Ordinal)
            || nodes.Split('\n').Count(static node => node.Contains("slave", StringComparison.Ordinal)) != Nodes / 2
            || !(replication.Contains("master_link_status:up", StringComparison.Ordinal) || replication.Contains("state=online", StringComparison.Ordinal)))
        {
            throw new InvalidOperationException(cluster + nodes + replication);
        }
    }
}
