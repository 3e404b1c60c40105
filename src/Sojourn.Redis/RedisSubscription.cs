using System.Globalization;
using System.Security.Cryptography;
using System.Threading.Channels;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// One listener. Whenever a connection has failed or is back, whichever it was, it sends itself a message until it hears one: from then on nothing is missed,
/// and what was missed before is told.
/// </summary>
internal sealed class RedisSubscription : IAsyncDisposable
{
    private const char Echo = '?';
    private static readonly TimeSpan EchoTimeout = TimeSpan.FromMilliseconds(250);

    private readonly IConnectionMultiplexer _connection;
    private readonly RedisChannel _channel;
    private readonly TimeProvider _time;
    private readonly Channel<SessionNotification> _news = Channel.CreateUnbounded<SessionNotification>(new() { SingleReader = true });
    private readonly Channel<bool> _doubts = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private ChannelMessageQueue? _queue;
    private Task _work = Task.CompletedTask;
    private (string Token, TaskCompletionSource Heard) _echo = ("", new());

    private RedisSubscription(IConnectionMultiplexer connection, string channel, TimeProvider time) =>
        (_connection, _channel, _time) = (connection, RedisChannel.Literal(channel), time);

    public static string Ended(string key) => "-" + key;

    /// <summary>The version first, since a key may be any text.</summary>
    public static string Changed(string key, long version) => string.Create(CultureInfo.InvariantCulture, $"+{version}:{key}");

    public static async ValueTask<RedisSubscription> OpenAsync(
        IConnectionMultiplexer connection, string channel, Action<SessionNotification> handler, TimeProvider time, CancellationToken cancellationToken)
    {
        var subscription = new RedisSubscription(connection, channel, time);
        try
        {
            await subscription.OpenAsync(handler, cancellationToken).ConfigureAwait(false);
            return subscription;
        }
        catch
        {
            await subscription.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        _connection.ConnectionFailed -= Doubt;
        _connection.ConnectionRestored -= Doubt;
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_queue is not null)
        {
            await _queue.UnsubscribeAsync(CommandFlags.FireAndForget).ConfigureAwait(false);
        }

        await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task OpenAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        _connection.ConnectionFailed += Doubt;
        _connection.ConnectionRestored += Doubt;
        _queue = await _connection.GetSubscriber().SubscribeAsync(_channel).WaitAsync(cancellationToken).ConfigureAwait(false);
        _queue.OnMessage(message => Hear(message.Message!));
        await HearEchoAsync(isFirst: true, cancellationToken).ConfigureAwait(false);
        _work = Task.WhenAll(WatchAsync(), TellAsync(handler));
    }

    private void Doubt(object? sender, ConnectionFailedEventArgs e) => _doubts.Writer.TryWrite(true);

    private void Hear(string message)
    {
        var rest = message[1..];
        if (message[0] != Echo)
        {
            _news.Writer.TryWrite(message[0] == '-' ? new(SessionNotificationKind.Ended, rest) : ParseChanged(rest));
        }
        else if (rest == _echo.Token)
        {
            _echo.Heard.TrySetResult();
        }
    }

    private static SessionNotification ParseChanged(string rest)
    {
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var version = new SessionVersion(long.Parse(rest.AsSpan(0, colon), CultureInfo.InvariantCulture));
        return new(SessionNotificationKind.Changed, rest[(colon + 1)..]) { Version = version };
    }

    private async Task TellAsync(Action<SessionNotification> handler)
    {
        await foreach (var news in _news.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
        {
            handler(news);
        }
    }

    private async Task WatchAsync()
    {
        await foreach (var _ in _doubts.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
        {
            await HearEchoAsync(isFirst: false, _stop.Token).ConfigureAwait(false);
            _news.Writer.TryWrite(new(SessionNotificationKind.Missed, null));
        }
    }

    /// <param name="isFirst">Then a user who may not publish is told so; later that may be a mistake that is being mended.</param>
    /// <param name="cancellationToken">Ends it.</param>
    private async Task HearEchoAsync(bool isFirst, CancellationToken cancellationToken)
    {
        while (true)
        {
            var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _echo = (RandomNumberGenerator.GetHexString(16), heard);
            try
            {
                await _connection.GetSubscriber().PublishAsync(_channel, Echo + _echo.Token).WaitAsync(cancellationToken).ConfigureAwait(false);
                await heard.Task.WaitAsync(EchoTimeout, _time, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception e) when (e is RedisException or TimeoutException && !(isFirst && e is RedisServerException { Kind: RedisErrorKind.NoPermission }))
            {
                await Task.Delay(EchoTimeout, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
