namespace Sojourn.Storage;

/// <summary>Listens to a store for as long as the application runs.</summary>
internal static class LastingSubscription
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>Subscribes, again after a pause where that fails, and listens until it is stopped. Does not throw.</summary>
    /// <param name="notifications">The store.</param>
    /// <param name="handler">Hears of what happens.</param>
    /// <param name="onSubscribed">Called when the subscription stands: of what came before nothing was told.</param>
    /// <param name="onFailure">Called with what was wrong each time that it could not be made.</param>
    /// <param name="time">What pauses are measured by.</param>
    /// <param name="stop">Ends it.</param>
    public static async Task ListenAsync(
        this ISessionNotifications notifications, Action<SessionNotification> handler, Action onSubscribed, Action<Exception> onFailure, TimeProvider time,
        CancellationToken stop)
    {
        for (var pause = FirstPause; !stop.IsCancellationRequested; pause = pause < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                // A connection that is lost later is the subscription's to make anew.
                var subscription = await notifications.SubscribeAsync(handler, stop).ConfigureAwait(false);
                await using (subscription.ConfigureAwait(false))
                {
                    onSubscribed();
                    await Task.Delay(Timeout.InfiniteTimeSpan, time, stop).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                onFailure(e);
                await Task.Delay(pause, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
