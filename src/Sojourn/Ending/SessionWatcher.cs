using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;
using Sojourn.Storage;

namespace Sojourn.Ending;

/// <summary>
/// Notices the end of the sessions that somebody waits for: at once where this process ends them, by the store's news where it tells, and else by looking at
/// the record now and then; and at their deadlines in any case. One loop a process, which begins when somebody first waits. Thread-safe.
/// </summary>
internal sealed class SessionWatcher : IDisposable, IAsyncDisposable
{
    /// <summary>How many sessions are looked at beside each other.</summary>
    private const int ParallelLooks = 8;

    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private readonly ISessionStore _store;
    private readonly Func<SessionManager> _manager;
    private readonly TimeSpan _interval;
    private readonly bool _renewsIds;
    private readonly TimeProvider _time;
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _starting = new();
    private Task? _work;
    private volatile bool _isTold;
    private bool _hasFailed;

    public SessionWatcher(ISessionStore store, Func<SessionManager> manager, SojournOptions options, TimeProvider time, SessionMetrics metrics, ILogger logger)
    {
        (_store, _manager, _interval, _renewsIds, _time, Logger) = (store, manager, options.EndedCheckInterval, options.RenewIdAfter is not null, time, logger);
        Watches = new SessionWatches(time, metrics, Wake);
    }

    public SessionWatches Watches { get; }

    public ILogger Logger { get; }

    public void Dispose()
    {
        _stop.Cancel();
        _wakes.Writer.TryComplete();
    }

    public async ValueTask DisposeAsync()
    {
        Dispose();
        if (_work is { } work)
        {
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stop.Dispose();
    }

    private void Wake()
    {
        _wakes.Writer.TryWrite(true);
        if (_work is null)
        {
            lock (_starting)
            {
                // Not on behalf of the request that happened to be the first.
                using (ExecutionContext.SuppressFlow())
                {
                    _work ??= Task.Run(() => Task.WhenAll(LookAsync(), ListenAsync()));
                }
            }
        }
    }

    private async Task LookAsync()
    {
        var timer = _time.CreateTimer(
            static state => ((ChannelWriter<bool>)state!).TryWrite(true), _wakes.Writer, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        await using (timer.ConfigureAwait(false))
        {
            await foreach (var _ in _wakes.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                await Parallel.ForEachAsync(
                    Watches.TakeDue(), new ParallelOptions { MaxDegreeOfParallelism = ParallelLooks, CancellationToken = _stop.Token },
                    LookAsync).ConfigureAwait(false);
                if (Watches.NextLook is { } next)
                {
                    // A timer may be a moment early by the clock that deadlines are judged by.
                    var wait = next - _time.GetUtcNow() + TimeSpan.FromMilliseconds(1);
                    timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait < LongestWait ? wait : LongestWait, Timeout.InfiniteTimeSpan);
                    if (next <= _time.GetUtcNow())
                    {
                        // The clock was moved in between.
                        _wakes.Writer.TryWrite(true);
                    }
                }
            }
        }
    }

    private async ValueTask LookAsync(SessionWatches.Look look, CancellationToken cancellationToken)
    {
        try
        {
            if (await _manager().LocateAsync(look.Key, look.Handle, cancellationToken).ConfigureAwait(false) is not { } place)
            {
                Watches.HaveEnded(look.Key);
                return;
            }

            _hasFailed = false;
            var now = _time.GetUtcNow();
            var next = place.ExpiresAt;
            if (look.KeepsAlive)
            {
                var (expiresAt, touchInterval) = await _manager().KeepAliveAsync(place, cancellationToken).ConfigureAwait(false);
                next = Earlier(expiresAt, now + touchInterval);
            }

            if (place.Key != look.Key)
            {
                Watches.HaveMoved(look.Key, place.Key, place.Handle);
            }

            Watches.Settle(look, place.Handle, _isTold ? next : Earlier(next, now + _interval));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            // That nobody can look is not the end.
            if (!_hasFailed)
            {
                Logger.NotLookedAt(e);
            }

            _hasFailed = true;
            Watches.Settle(look, null, _time.GetUtcNow() + _interval);
        }
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    /// <summary>Listens to the store where it tells. Until the subscription stands, sessions are looked at as where it does not.</summary>
    private Task ListenAsync() => _store.As<ISessionNotifications>()?.ListenAsync(
        Hear,
        () =>
        {
            _isTold = true;
            Watches.AskToLookAtAll();
        },
        Logger.NewsNotSubscribed,
        _time,
        _stop.Token) ?? Task.CompletedTask;

    private void Hear(SessionNotification news)
    {
        switch (news.Kind)
        {
            case SessionNotificationKind.Ended when news.Key is { } key:
                // Or renewed elsewhere: the record tells.
                Watches.AskToLook(key);
                break;
            case SessionNotificationKind.Changed when news.Key is { } key:
                // Its deadline may be an earlier one now. Those who change it often cost no more than where nothing is told; but where ids renew themselves,
                // its end is told under another key.
                Watches.AskToLook(key, _time.GetUtcNow() + (_renewsIds ? TimeSpan.Zero : _interval));
                break;
            case SessionNotificationKind.Missed:
                Watches.AskToLookAtAll();
                break;
        }
    }
}
