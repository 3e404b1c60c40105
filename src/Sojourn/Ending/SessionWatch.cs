using Sojourn.Diagnostics;

namespace Sojourn.Ending;

/// <summary>Waits for the end of one session on behalf of one holder: a request, or a connection. Thread-safe.</summary>
internal sealed class SessionWatch(SessionWatcher watcher, string? handle) : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private int _keepers;

    public CancellationToken Ended => _ended.Token;

    /// <summary>The session's name when the watch began.</summary>
    public string? Handle => handle;

    /// <summary>
    /// What the session is filed under; <see langword="null"/> while it is not stored, and once nobody waits any more. The registry's to set.
    /// </summary>
    public string? Key { get; set; }

    /// <summary>Whether nobody waits any more. The registry's to set.</summary>
    public bool IsLeft { get; set; }

    /// <summary>What waits, where it is to be closed before its request is over.</summary>
    public IAsyncDisposable? Connection { get; set; }

    public bool KeepsAlive => Volatile.Read(ref _keepers) > 0;

    /// <summary>Keeps the session from ending for want of use, until the returned object is disposed of.</summary>
    public IDisposable KeepAlive()
    {
        Interlocked.Increment(ref _keepers);
        watcher.Watches.AskToLook(this);
        return new Keeper(this);
    }

    /// <summary>The session has ended. Whoever waits is called on another thread.</summary>
    public void Fire() => _ = FireAsync();

    /// <summary>Nobody waits any more. The source has nothing to dispose of, and the token stays usable.</summary>
    public void Dispose() => watcher.Watches.Remove(this);

    private async Task FireAsync()
    {
        try
        {
            await _ended.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            watcher.Logger.EndedCallbackFailed(e);
        }
    }

    private sealed class Keeper(SessionWatch watch) : IDisposable
    {
        private int _isDone;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isDone, 1) == 0)
            {
                Interlocked.Decrement(ref watch._keepers);
            }
        }
    }
}
