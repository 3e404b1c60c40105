using Sojourn.Ending;

namespace Sojourn;

/// <content>The end of the session, as those see it who stay connected: sockets, streams, long requests.</content>
public sealed partial class Session
{
    private SessionWatch? _watch;
    private bool _isNoActivity;
    private bool _hasSignedIn;

    /// <summary>
    /// Is cancelled when the session ends: destroyed, signed out of, ended from elsewhere or past a deadline, in this process or another. For sockets, streams
    /// and long requests, which close then. A new id is no end, unless another user signs in.
    /// </summary>
    /// <remarks>
    /// <para>What this process ends, and a deadline, is noticed at once. What another one ends is noticed when the store tells of it (Redis, PostgreSQL and
    /// MongoDB with <c>Notifications</c> set), under a second while its connection stands, and by the first look after it stands again; with other stores
    /// within <see cref="SojournOptions.EndedCheckInterval"/>. A store that cannot be asked is no end.</para>
    /// <para>In a request the token serves until the request is over. Outside, for a session of
    /// <see cref="SessionManager.LoadAsync(string, CancellationToken)"/>, until the session ends. One that is not stored yet is watched from when it is;
    /// before, only its own request can end it. Where nobody asks, nothing is watched.</para>
    /// <para>A new id that another process gave is followed by the session's handle, where the store finds sessions by it, as all native layouts do. A session
    /// that nobody signed in to, and whose <see cref="Handle"/> nobody asked for, has none: it counts as ended then.</para>
    /// <para>Callbacks run on the thread pool. What they throw is logged.</para>
    /// </remarks>
    public CancellationToken Ended
    {
        get
        {
            lock (_sync)
            {
                MarkUsed();
                return Watch.Ended;
            }
        }
    }

    /// <summary>
    /// Whether the request counts as use of the session, which moves the idle deadline; true by default, unless the endpoint says <c>WithoutActivity</c>. Set
    /// to false for what a page does by itself: the session is loaded and saved as ever, and ends when it would have. Signing in counts in any case, and so
    /// does <see cref="Touch"/>.
    /// </summary>
    public bool CountsAsActivity
    {
        get => !_isNoActivity && _host?.CountsAsActivity != false;
        set => _isNoActivity = !value;
    }

    /// <summary>
    /// Keeps the session from ending for want of use while somebody stays connected: its idle deadline is moved as if requests came. The absolute deadline
    /// stays. In a request until the request is over at the latest.
    /// </summary>
    /// <remarks>
    /// Idle means a user who does nothing (NIST SP 800-63B, section 5.2): an open connection is not use by itself, so this is to be asked for.
    /// </remarks>
    /// <returns>Ends it when disposed of.</returns>
    public IDisposable KeepAlive()
    {
        lock (_sync)
        {
            MarkUsed();
            return Watch.KeepAlive();
        }
    }

    /// <summary>Cancelled when the client of the request went away. ASP.NET Core does not tell every stream.</summary>
    internal CancellationToken RequestAborted => _host?.Aborted ?? CancellationToken.None;

    /// <summary>A connection that the request was taken for, and that closes with the session: properly, before the request is over.</summary>
    internal IAsyncDisposable? Connection
    {
        get => _watch?.Connection;
        set => _watch!.Connection = value;
    }

    /// <summary>How long a connection that keeps the session alive leaves it alone.</summary>
    internal TimeSpan KeepAliveInterval => TouchInterval > TimeSpan.Zero ? TouchInterval : Lifetime / 20;

    /// <summary>Waits for the end on behalf of a connection that outlives its request, which may be over; whoever asked disposes of it.</summary>
    internal SessionWatch WatchApart()
    {
        lock (_sync) return NewWatch();
    }

    private SessionWatch Watch
    {
        get
        {
            if (_watch is null)
            {
                _watch = NewWatch();
                _host?.OnWatched(_watch);
            }

            return _watch;
        }
    }

    private SessionWatch NewWatch()
    {
        var watch = new SessionWatch(_operations.Watcher, Metadata.Handle);
        if (State == SessionState.Destroyed || (State == SessionState.Ended && Record is null))
        {
            watch.Fire();
        }
        else if (Record is not null)
        {
            _operations.Watcher.Watches.Add(watch, Key);
        }

        return watch;
    }

    /// <summary>The session is stored: from now on others can end it.</summary>
    private void WatchStored()
    {
        if (_watch is { Key: null, Ended.IsCancellationRequested: false })
        {
            _operations.Watcher.Watches.Add(_watch, Key);
        }
    }

    /// <summary>The session was found to be gone, or has a new id from elsewhere: the next look tells which.</summary>
    private void WatchGone()
    {
        if (Record is null)
        {
            _watch?.Fire();
        }
        else
        {
            _operations.Watcher.Watches.AskToLook(Key);
        }
    }
}
