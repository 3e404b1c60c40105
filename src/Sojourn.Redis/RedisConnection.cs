using System.Runtime.CompilerServices;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>The way to the server: the application's own connection, or one that is made by the first call and disposed of with the store.</summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly ConfigurationOptions? _configuration;
    private Task<IConnectionMultiplexer>? _connecting;

    public RedisConnection(IConnectionMultiplexer given)
    {
        ArgumentNullException.ThrowIfNull(given);
        _connecting = Task.FromResult(given);
    }

    public RedisConnection(ConfigurationOptions configuration)
    {
        _configuration = configuration;

        // A server that is away fails calls, not the start, and is found again when it is back.
        _configuration.AbortOnConnectFail = false;
    }

    public async ValueTask<IDatabase> DatabaseAsync(CancellationToken cancellationToken) =>
        (await ConnectAsync().WaitAsync(cancellationToken).ConfigureAwait(false)).GetDatabase();

    /// <summary>A page of records in the order of their names, of which Redis knows none.</summary>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(
        string prefix, Func<string, bool> isWanted, Func<string, CancellationToken, ValueTask<SessionRecord?>> read, string? afterKey, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        var page = new List<KeyValuePair<string, SessionRecord>>();
        while (true)
        {
            var names = new SortedSet<string>(StringComparer.Ordinal);
            await foreach (var name in KeysAsync(prefix, isWanted, cancellationToken).ConfigureAwait(false))
            {
                if (afterKey is null || string.CompareOrdinal(name, afterKey) > 0)
                {
                    names.Add(name);
                    if (names.Count > limit - page.Count)
                    {
                        names.Remove(names.Max!);
                    }
                }
            }

            // Names that turn out to be gone are made up for by the next ones.
            foreach (var name in names)
            {
                if (await read(name, cancellationToken).ConfigureAwait(false) is { } record)
                {
                    page.Add(new(name, record));
                }

                afterKey = name;
            }

            if (names.Count == 0 || page.Count == limit)
            {
                return page;
            }
        }
    }

    public async ValueTask<long> CountAsync(string prefix, Func<string, bool> isWanted, CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var name in KeysAsync(prefix, isWanted, cancellationToken).ConfigureAwait(false))
        {
            names.Add(name);
        }

        return names.Count;
    }

    /// <summary>The names of all keys with a prefix, without it; one may come more than once.</summary>
    private async IAsyncEnumerable<string> KeysAsync(string prefix, Func<string, bool> isWanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        RedisValue pattern = Escape(prefix) + "*";
        foreach (var server in connection.GetServers())
        {
            if (!server.IsConnected || server.IsReplica)
            {
                continue;
            }

            await foreach (var key in server.KeysAsync(connection.GetDatabase().Database, pattern, pageSize: 1000).WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                var name = ((string)key!)[prefix.Length..];
                if (isWanted(name))
                {
                    yield return name;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_configuration is not null && _connecting is not null)
        {
            await (await _connecting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private static string Escape(string text) => string.Concat(text.Select(c => c is '*' or '?' or '[' or ']' or '\\' or '^' ? "\\" + c : c.ToString()));

    private Task<IConnectionMultiplexer> ConnectAsync()
    {
        lock (_gate)
        {
            return _connecting is null or { IsFaulted: true } or { IsCanceled: true } ? _connecting = OpenAsync() : _connecting;
        }
    }

    private async Task<IConnectionMultiplexer> OpenAsync() => await ConnectionMultiplexer.ConnectAsync(_configuration!).ConfigureAwait(false);
}
