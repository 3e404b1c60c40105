using System.Collections.Immutable;
using System.Globalization;
using Npgsql;
using Sojourn.Storage;

namespace Sojourn.PostgreSql;

/// <summary>Listens on one connection for all who subscribed to a store, and on a new one when that is lost. Thread-safe.</summary>
internal sealed class PostgreSqlListener(NpgsqlDataSource source, string channel, TimeProvider time) : IAsyncDisposable
{
    public const char Changed = 'c';
    public const char Ended = 'e';

    /// <summary>So long a connection may be silent before it is asked whether it still stands.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan PauseBeforeRetry = TimeSpan.FromMilliseconds(500);
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _disposed = new();
    private ImmutableArray<Subscription> _subscriptions = [];
    private TaskCompletionSource _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _loop;

    public async ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        var subscription = new Subscription(this, handler);
        Task listening;
        lock (_gate)
        {
            _subscriptions = _subscriptions.Add(subscription);
            _loop ??= ListenAsync();
            listening = _listening.Task;
        }

        try
        {
            await listening.WaitAsync(cancellationToken).ConfigureAwait(false);
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
        if (_disposed.IsCancellationRequested)
        {
            return;
        }

        await _disposed.CancelAsync().ConfigureAwait(false);
        if (_loop is not null)
        {
            await _loop.ConfigureAwait(false);
        }

        _disposed.Dispose();
    }

    private async Task ListenAsync()
    {
        for (var isFirst = true; !_disposed.IsCancellationRequested; isFirst = false)
        {
            try
            {
                await ListenOnceAsync(isFirst).ConfigureAwait(false);
            }
            catch (Exception) when (_disposed.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException or InvalidOperationException)
            {
                // Who waits is told what is wrong; who subscribes meanwhile waits for the next connection.
                TaskCompletionSource waited;
                lock (_gate)
                {
                    (waited, _listening) = (_listening, new(TaskCreationOptions.RunContinuationsAsynchronously));
                }

                waited.TrySetException(e);
                _ = waited.Task.Exception;

                await Task.Delay(PauseBeforeRetry, time, _disposed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListenOnceAsync(bool isFirst)
    {
        var connection = await source.OpenConnectionAsync(_disposed.Token).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            connection.Notification += (_, notification) => Tell(Parse(notification.Payload));
            await ExecuteAsync(connection, $"LISTEN {SqlName.Quoted(channel)}").ConfigureAwait(false);
            if (!isFirst)
            {
                Tell(new SessionNotification(SessionNotificationKind.Missed, null));
            }

            _listening.TrySetResult();
            while (true)
            {
                if (!await connection.WaitAsync(Silence, _disposed.Token).ConfigureAwait(false))
                {
                    await ExecuteAsync(connection, "SELECT 1").ConfigureAwait(false);
                }
            }
        }
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        var command = new NpgsqlCommand(sql, connection);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(_disposed.Token).ConfigureAwait(false);
        }
    }

    private void Tell(SessionNotification notification)
    {
        foreach (var subscription in _subscriptions)
        {
            subscription.Handler(notification);
        }
    }

    private static SessionNotification Parse(string payload)
    {
        if (payload[0] == Ended)
        {
            return new(SessionNotificationKind.Ended, payload[1..]);
        }

        // The version first, since a key may be any text.
        var colon = payload.IndexOf(':', StringComparison.Ordinal);
        var version = new SessionVersion(long.Parse(payload.AsSpan(1, colon - 1), CultureInfo.InvariantCulture));
        return new(SessionNotificationKind.Changed, payload[(colon + 1)..]) { Version = version };
    }

    private sealed class Subscription(PostgreSqlListener listener, Action<SessionNotification> handler) : IAsyncDisposable
    {
        public Action<SessionNotification> Handler => handler;

        public ValueTask DisposeAsync()
        {
            lock (listener._gate)
            {
                listener._subscriptions = listener._subscriptions.Remove(this);
            }

            return default;
        }
    }
}
