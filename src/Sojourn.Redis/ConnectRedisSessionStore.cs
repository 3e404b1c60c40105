using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// Keeps sessions as connect-redis 9 and 10 keep them, so that a running Node application and this one share them: the session's JSON as a string under
/// <c>sess:</c> and the id, which Redis drops when the session ends.
/// </summary>
/// <remarks>
/// <para>Thread-safe. A write compares the stored text with the one that was read. Among Sojourn's writers no change is lost and nothing revived; a Node
/// application writes over whatever is there, as it always did.</para>
/// <para>The layout has no place for labels: sessions of a user cannot be found in it.</para>
/// </remarks>
public sealed class ConnectRedisSessionStore : ISessionStore, INodeLayout, ISessionIndex, IAsyncDisposable
{
    private readonly RedisConnection _connection;
    private readonly ConnectRedisSessionStoreOptions _options;
    private readonly TimeProvider _time;

    internal ConnectRedisSessionStore(RedisConnection connection, ConnectRedisSessionStoreOptions options, TimeProvider time)
    {
        if (!options.IsValid)
        {
            throw new ArgumentException(ConnectRedisSessionStoreOptions.Rule, nameof(options));
        }

        (_connection, _options, _time) = (connection, options, time);
    }

    /// <summary>Makes a store on a connection of the application's own.</summary>
    /// <param name="connection">The connection; whoever made it disposes of it.</param>
    /// <param name="options">The defaults when <see langword="null"/>.</param>
    /// <param name="timeProvider">What lifetimes are counted by; the system's clock when <see langword="null"/>.</param>
    /// <exception cref="ArgumentException">
    /// An option is out of its range, or <see cref="ConnectRedisSessionStoreOptions.WaitForReplicas"/> is set, which needs a connection of the store's own.
    /// </exception>
    public ConnectRedisSessionStore(IConnectionMultiplexer connection, ConnectRedisSessionStoreOptions? options = null, TimeProvider? timeProvider = null)
        : this(new RedisConnection(connection, options?.WaitForReplicas ?? 0), options ?? new(), timeProvider ?? TimeProvider.System)
    {
    }

    /// <inheritdoc/>
    public TimeSpan TimeToLive => _options.TimeToLive;

    /// <inheritdoc/>
    public bool CanTouch => !_options.DisableTouch;

    /// <inheritdoc/>
    public SessionVersion VersionOf(SessionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return new SessionVersion(record.Document.ToArray());
    }

    /// <inheritdoc/>
    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var result = await _connection.RunAsync(Scripts.ReadWithExpiry, _options.KeyPrefix + key, [], cancellationToken).ConfigureAwait(false);
        return result.IsNull ? null : ToRecord(result);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        return (long)await RunAsync(
            Scripts.CreateContent, key, [record.Document, SecondsUntil(record.ExpiresAt)], cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        return WriteAsync(
            Scripts.ReplaceContent, key, next.WithVersion(VersionOf(next)), [current.Version.Content, next.Document, SecondsUntil(next.ExpiresAt)],
            cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(current);
        return WriteAsync(Scripts.TouchContent, key, current.WithExpiry(expiresAt), [current.Version.Content, SecondsUntil(expiresAt)], cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        if (current is not null)
        {
            return await WriteAsync(Scripts.DeleteContent, key, null, [current.Version.Content], cancellationToken).ConfigureAwait(false);
        }

        return (long)await RunAsync(Scripts.DeleteAnything, key, [], cancellationToken).ConfigureAwait(false) == 1 ? WriteResult.Done() : WriteResult.Gone;
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-redis has no labels.</exception>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <inheritdoc/>
    /// <remarks>Redis has no order of keys: each page looks at the names of all sessions.</remarks>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
        _connection.PageAsync(_options.KeyPrefix, static _ => true, ReadAsync, afterKey, limit, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Looks at the names of all sessions.</remarks>
    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => _connection.CountAsync(_options.KeyPrefix, static _ => true, cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: the layout of connect-redis has no labels.</exception>
    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => throw NoLabels();

    /// <summary>Closes the connection, if the store made it itself.</summary>
    /// <returns>When it is closed.</returns>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static NotSupportedException NoLabels() =>
        new("The layout of connect-redis has no place for labels, so sessions cannot be found by user in it. UseRedis() has one.");

    /// <summary>Whole seconds, as connect-redis counts them; it deletes what has none left.</summary>
    private long SecondsUntil(DateTimeOffset expiresAt) => (long)Math.Ceiling((expiresAt - _time.GetUtcNow()).TotalSeconds);

    private SessionRecord ToRecord(RedisResult result)
    {
        var (text, milliseconds) = ((byte[])result[0]!, (long)result[1]);
        var now = _time.GetUtcNow();
        var left = milliseconds < 0 ? TimeToLive : TimeSpan.FromMilliseconds(Math.Min(milliseconds, (DateTimeOffset.MaxValue - now).TotalMilliseconds - 1));
        return new SessionRecord(text, now + left, version: new SessionVersion(text));
    }

    private ValueTask<RedisResult> RunAsync(string script, string key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _connection.WriteAsync(script, _options.KeyPrefix + key, arguments, cancellationToken);
    }

    private async ValueTask<WriteResult> WriteAsync(string script, string key, SessionRecord? done, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        var result = await RunAsync(script, key, arguments, cancellationToken).ConfigureAwait(false);
        return result.Resp2Type == ResultType.Array ? WriteResult.Conflict(ToRecord(result))
            : (long)result == 1 ? WriteResult.Done(done)
            : WriteResult.Gone;
    }
}
