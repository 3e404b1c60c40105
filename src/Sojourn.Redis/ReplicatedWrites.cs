using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// Runs scripts that count only once enough replicas have what they wrote. WAIT holds up the connection that it comes over, so this one is used
/// for nothing else.
/// </summary>
internal sealed class ReplicatedWrites : IAsyncDisposable
{
    private const int MaxRedirects = 8;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private readonly LazyConnection _connection;
    private readonly int _replicas;
    private readonly ConcurrentDictionary<EndPoint, PrimaryWrites> _primaries = new();

    public ReplicatedWrites(ConfigurationOptions configuration, int replicas)
    {
        // While a primary is away, writes fail at once: they must not stand in the way of the next group.
        configuration.BacklogPolicy = BacklogPolicy.FailFast;
        (_connection, _replicas) = (new(configuration), replicas);
    }

    /// <exception cref="RedisException">Fewer replicas have it than are asked for, or it is not known how many.</exception>
    public async Task<RedisResult> RunAsync(string script, RedisKey key, RedisValue[] arguments)
    {
        var connection = await _connection.GetAsync().ConfigureAwait(false);
        for (var redirects = 0; ; redirects++)
        {
            var primary = connection.GetServer(key, flags: CommandFlags.DemandMaster);
            try
            {
                return await _primaries.GetOrAdd(primary.EndPoint, _ => new(primary, connection.GetDatabase().Database, _replicas))
                    .RunAsync(script, key, arguments).ConfigureAwait(false);
            }
            catch (RedisServerException e) when (e.Kind == RedisErrorKind.Moved && redirects < MaxRedirects)
            {
                // Nothing was run, and the driver has taken note of where the key lives now. Servers that do not agree on that yet are given time: 1.3 s in
                // all.
                if (redirects > 0)
                {
                    await Task.Delay(FirstPause * (1 << (redirects - 1)), TimeProvider.System).ConfigureAwait(false);
                }
            }
        }
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
