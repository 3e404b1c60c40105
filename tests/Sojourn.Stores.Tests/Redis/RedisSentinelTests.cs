using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A primary and its replica, watched by a Sentinel.</summary>
public sealed class RedisSentinelTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task The_primary_is_killed_its_replica_promoted_and_the_application_goes_on_by_itself(int waitForReplicas)
    {
        await using var primary = await RedisServer.StartNewAsync();
        await using var replica = await RedisServer.StartNewAsync("--replicaof", "127.0.0.1", primary.Port.ToString(CultureInfo.InvariantCulture));
        using var directory = new TempDirectory();
        await using var sentinel = await StartSentinelAsync(directory, primary, replica);
        await using var app = await StoreApp.StartAsync(builder => builder.UseRedis(
            string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{sentinel.Port},serviceName=mymaster,connectTimeout=500"), o =>
                o.WaitForReplicas = waitForReplicas));
        for (var count = 0; count < 3; count++) Assert.Equal(HttpStatusCode.OK, await app.CountAsync());

        if (waitForReplicas == 0)
        {
            // This is what an operator can only hope for then. WAIT answers for what its own connection wrote, and so for all that was written before it.
            var database = primary.Connection.GetDatabase();
            await database.StringSetAsync("written", 1);
            await database.ExecuteAsync("WAIT", 1, 0);
        }

        await primary.KillAsync();
        Assert.NotEqual(HttpStatusCode.OK, await app.CountAsync());
        while (!await IsPrimaryAsync(replica))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }

        if (waitForReplicas > 0) primary.Start();
        await app.RecoveredAsync();
        Assert.InRange(await app.ReadAsync(), 4, 50);
    }

    /// <summary>A Sentinel that promotes a server cuts off its clients, and so, perhaps, the one that asks here.</summary>
    private static async Task<bool> IsPrimaryAsync(RedisServer server)
    {
        try
        {
            return (await ServerProcess.RunAsync("redis-cli", "-p", server.Port.ToString(CultureInfo.InvariantCulture), "role")).StartsWith(
                "master", StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static async Task<Sentinel> StartSentinelAsync(TempDirectory directory, RedisServer primary, RedisServer replica)
    {
        var port = ServerProcess.FreePort();
        var file = Path.Combine(directory.Path, "sentinel.conf");
        await File.WriteAllLinesAsync(file,
        [
            string.Create(CultureInfo.InvariantCulture, $"port {port}"),
            "bind 127.0.0.1",
            "dir " + directory.Path,
            string.Create(CultureInfo.InvariantCulture, $"sentinel monitor mymaster 127.0.0.1 {primary.Port} 1"),
            "sentinel down-after-milliseconds mymaster 1000",
            "sentinel failover-timeout mymaster 5000",
        ], Token);
        var sentinel = new Sentinel(ServerProcess.Start("redis-sentinel", file), port);
        await sentinel.Process.UpAsync(async () =>
        {
            var known = await ServerProcess.RunAsync("redis-cli", "-p", port.ToString(CultureInfo.InvariantCulture), "sentinel", "replicas", "mymaster");
            if (!known.Contains(replica.Port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)) throw new InvalidOperationException(known);
        });
        return sentinel;
    }

    private sealed record Sentinel(ServerProcess Process, int Port) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}
