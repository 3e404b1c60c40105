using System.Runtime.CompilerServices;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// The way to the server: the application's own connection, or one of the store's own. Whatever is asked, only a primary answers: a replica may know nothing of
/// a session that lives.
/// </summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    private readonly IConnectionMultiplexer? _given;
    private readonly LazyConnection? _own;
    private readonly ReplicatedWrites? _replicated;
    private readonly CommandGroup _group = new();
    private readonly Lazy<string> _channelPrefix;

    /// <exception cref="ArgumentException">Replicas are to be waited for, on a connection that serves others, too.</exception>
    public RedisConnection(IConnectionMultiplexer given, int waitForReplicas)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (waitForReplicas > 0)
        {
            throw new ArgumentException(
                "WaitForReplicas holds up the connection that it waits on, so it needs the store's own: give UseRedis or UseConnectRedis a connection string.",
                nameof(waitForReplicas));
        }

        (_given, _channelPrefix) = (given, new(() => PrefixOf(ConfigurationOptions.Parse(given.Configuration))));
    }

    public RedisConnection(ConfigurationOptions configuration, int waitForReplicas)
    {
        (_own, _channelPrefix) = (new(configuration), new(() => PrefixOf(configuration)));
        if (waitForReplicas > 0)
        {
            _replicated = new(configuration.Clone(), waitForReplicas);
        }
    }

    /// <summary>What the driver puts before the names of channels, unless a script names them.</summary>
    /// <remarks>
    /// Looked for only where it is needed: the text of a configuration does not say everything as it was said, such as a password with a comma.
    /// </remarks>
    public string ChannelPrefix => _channelPrefix.Value;

    public async ValueTask<IConnectionMultiplexer> ConnectAsync(CancellationToken cancellationToken) =>
        _given ?? await _own!.GetAsync().WaitAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<IDatabase> DatabaseAsync(CancellationToken cancellationToken) =>
        (await ConnectAsync(cancellationToken).ConfigureAwait(false)).GetDatabase();

    /// <summary>What a key holds, as <paramref name="read"/> reads it; <see langword="null"/> where it holds nothing.</summary>
    public async ValueTask<T?> GetAsync<T>(RedisKey key, Func<byte[], T> read, CancellationToken cancellationToken)
        where T : class
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await DatabaseAsync(cancellationToken).ConfigureAwait(false);
        await _group;
        return (byte[]?)await database.StringGetAsync(key, CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false) is { } value
            ? read(value)
            : null;
    }

    /// <summary>Runs a script on one key.</summary>
    public async ValueTask<RedisResult> RunAsync(string script, RedisKey key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var database = await DatabaseAsync(cancellationToken).ConfigureAwait(false);
        await _group;
        return await database.ScriptEvaluateAsync(script, [key], arguments, CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs a script that writes to one key, and waits for replicas where that is asked for.</summary>
    public ValueTask<RedisResult> WriteAsync(string script, RedisKey key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _replicated is null
            ? RunAsync(script, key, arguments, cancellationToken)
            : new(_replicated.RunAsync(script, key, arguments).WaitAsync(cancellationToken));
    }

    /// <summary>A page of records in the order of their names, of which Redis knows none.</summary>
    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(
        string prefix, Func<string, bool> isWanted, Func<string, CancellationToken, ValueTask<SessionRecord?>> read, string? afterKey, int limit,
        CancellationToken cancellationToken)
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
        var connection = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        RedisValue pattern = Escape(prefix) + "*";
        var primaries = connection.GetServers().Where(static server => !server.IsReplica).ToList();
        if (!primaries.Exists(static server => server.IsConnected) || primaries.Find(static server => !server.IsConnected && HoldsSlots(server)) is not null)
        {
            // Keys that cannot be seen must not be taken for keys that are not there.
            throw new RedisException("A primary of Redis cannot be reached, so what is stored cannot be listed.");
        }

        foreach (var server in primaries.Where(static server => server.IsConnected))
        {
            var keys = server.KeysAsync(connection.GetDatabase().Database, pattern, pageSize: 1000);
            await foreach (var key in keys.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                var name = ((string)key!)[prefix.Length..];
                if (isWanted(name))
                {
                    yield return name;
                }
            }
        }
    }

    /// <summary>One that was failed over stays known without any; a server that stands alone has none.</summary>
    private static bool HoldsSlots(IServer server) => server.ClusterConfiguration?[server.EndPoint] is { Slots.Count: > 0 };

    public async ValueTask DisposeAsync()
    {
        if (_replicated is not null)
        {
            await _replicated.DisposeAsync().ConfigureAwait(false);
        }

        if (_own is not null)
        {
            await _own.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static string PrefixOf(ConfigurationOptions configuration) => (string?)configuration.ChannelPrefix ?? "";

    private static string Escape(string text) => string.Concat(text.Select(c => c is '*' or '?' or '[' or ']' or '\\' or '^' ? "\\" + c : c.ToString()));
}
