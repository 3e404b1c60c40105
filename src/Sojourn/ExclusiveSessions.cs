using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>
/// Gives requests a session one after another: within this process by a queue, across processes by the store's leases, where it has them.
/// Thread-safe.
/// </summary>
internal sealed class ExclusiveSessions(ISessionLease? leases, TimeSpan storeTimeout, TimeProvider time, ILogger logger)
{
    /// <summary>For so long others wait for a process that died. A living one renews its lease three times as often.</summary>
    private static readonly TimeSpan LeaseDuration = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(160);
    private readonly KeyedQueue<object> _queue = new();

    private TimeProvider Time => time;

    private ILogger Logger => logger;

    /// <summary>Waits for the session's turn; whoever has it disposes of it.</summary>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public async ValueTask<IAsyncDisposable> EnterAsync(string key, CancellationToken cancellationToken)
    {
        await _queue.EnterAsync(key, cancellationToken).ConfigureAwait(false);
        if (leases is null)
        {
            return new Turn(this, key, null);
        }

        var owner = SessionId.NewHandle();
        try
        {
            var pause = FirstPause;
            while (!await TakeAsync(key, owner, cancellationToken).ConfigureAwait(false))
            {
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
                pause = pause < LongestPause ? pause * 2 : LongestPause;
            }

            return new Turn(this, key, owner);
        }
        catch
        {
            _queue.Leave(key, null);
            throw;
        }
    }

    /// <summary>Takes the session's turn, unless somebody has it or the leases fail; <see langword="null"/> then.</summary>
    public async ValueTask<IAsyncDisposable?> TryEnterAsync(string key, CancellationToken cancellationToken)
    {
        if (!_queue.TryEnter(key))
        {
            return null;
        }

        var owner = leases is null ? null : SessionId.NewHandle();
        var isOurs = false;
        try
        {
            isOurs = owner is null || await TakeAsync(key, owner, cancellationToken).ConfigureAwait(false);
            return isOurs ? new Turn(this, key, owner) : null;
        }
        catch (SessionStoreException e)
        {
            logger.LeaseNotKept(e);
            return null;
        }
        finally
        {
            if (!isOurs)
            {
                _queue.Leave(key, null);
            }
        }
    }

    /// <summary>Takes a lease, which must not outlive a wait that was ended or failed: the same visitor may ask again at once.</summary>
    private async Task<bool> TakeAsync(string key, string owner, CancellationToken cancellationToken)
    {
        var asked = AskAsync(key, owner, cancellationToken);
        try
        {
            return await WaitAsync(asked, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _ = ReleaseAfterAsync(asked, key, owner);
            throw;
        }
    }

    private async Task<bool> AskAsync(string key, string owner, CancellationToken cancellationToken) =>
        await leases!.TryAcquireAsync(key, owner, LeaseDuration, cancellationToken).ConfigureAwait(false);

    private async Task<bool> WaitAsync(Task<bool> asked, CancellationToken cancellationToken)
    {
        try
        {
            return await asked.WaitAsync(storeTimeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!(e is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            throw new SessionStoreException("The session store failed at the lease of a session.", e);
        }
    }

    /// <summary>Once the store has answered: a release that overtakes the lease releases nothing.</summary>
    private async Task ReleaseAfterAsync(Task asked, string key, string owner)
    {
        await asked.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ReleaseAsync(key, owner).ConfigureAwait(false);
    }

    private async Task ReleaseAsync(string key, string owner)
    {
        try
        {
            await leases!.ReleaseAsync(key, owner, CancellationToken.None).AsTask().WaitAsync(storeTimeout, time).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // It ends by itself. The request has done its work.
            logger.LeaseNotKept(e);
        }
    }

    /// <param name="key">The key.</param>
    /// <param name="owner">Who has the lease; <see langword="null"/> where the store has none.</param>
    /// <param name="asked">What the store was asked last; a request does not wait for it any more.</param>
    private async ValueTask LeaveAsync(string key, string? owner, Task asked)
    {
        try
        {
            if (owner is not null)
            {
                var releasing = ReleaseAfterAsync(asked, key, owner);
                await (asked.IsCompleted ? releasing : Task.CompletedTask).ConfigureAwait(false);
            }
        }
        finally
        {
            _queue.Leave(key, null);
        }
    }

    private sealed class Turn : IAsyncDisposable
    {
        private readonly ExclusiveSessions _sessions;
        private readonly string _key;
        private readonly string? _owner;
        private readonly CancellationTokenSource _left = new();
        private readonly Task _renewing;
        private Task<bool> _asked = Task.FromResult(true);

        public Turn(ExclusiveSessions sessions, string key, string? owner)
        {
            (_sessions, _key, _owner) = (sessions, key, owner);
            _renewing = owner is null ? Task.CompletedTask : RenewAsync(owner);
        }

        public async ValueTask DisposeAsync()
        {
            await _left.CancelAsync().ConfigureAwait(false);
            await _renewing.ConfigureAwait(false);
            _left.Dispose();
            await _sessions.LeaveAsync(_key, _owner, _asked).ConfigureAwait(false);
        }

        private async Task RenewAsync(string owner)
        {
            while (true)
            {
                try
                {
                    await Task.Delay(LeaseDuration / 3, _sessions.Time, _left.Token).ConfigureAwait(false);
                    _asked = _sessions.AskAsync(_key, owner, _left.Token);
                    await _sessions.WaitAsync(_asked, _left.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                catch (SessionStoreException e)
                {
                    // Tried again at the next turn; should another process come in meanwhile, versions still keep either from losing the other's changes.
                    _sessions.Logger.LeaseNotKept(e);
                }
            }
        }
    }
}
