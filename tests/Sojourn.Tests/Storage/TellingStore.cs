using Sojourn.Storage;

namespace Sojourn.Tests.Storage;

/// <summary>A store that tells its subscribers what a test has it tell, and whose subscriptions fail for as long as a test wants.</summary>
internal sealed class TellingStore(ISessionStore inner) : BareStore(inner), ISessionStore, ISessionNotifications
{
    private readonly Lock _gate = new();
    private readonly List<Subscription> _subscriptions = [];

    public int FailuresLeft { get; set; }

    public int Subscribers
    {
        get
        {
            lock (_gate) return _subscriptions.Count;
        }
    }

    public T? As<T>()
        where T : class => this as T ?? Inner.As<T>();

    public void Tell(SessionNotificationKind kind, string? key = null, SessionVersion? version = null)
    {
        Subscription[] all;
        lock (_gate) all = [.. _subscriptions];
        foreach (var subscription in all) subscription.Handler(new(kind, key) { Version = version });
    }

    public ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (FailuresLeft > 0)
            {
                FailuresLeft--;
                throw new InvalidOperationException("The test wants it so.");
            }

            var subscription = new Subscription(this, handler);
            _subscriptions.Add(subscription);
            return new(subscription);
        }
    }

    private sealed class Subscription(TellingStore store, Action<SessionNotification> handler) : IAsyncDisposable
    {
        public Action<SessionNotification> Handler => handler;

        public ValueTask DisposeAsync()
        {
            lock (store._gate) store._subscriptions.Remove(this);
            return default;
        }
    }
}
