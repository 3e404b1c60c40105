using System.Threading.Channels;
using Sojourn.Storage;

namespace Sojourn.Testing;

// News of what other processes did.
public abstract partial class SessionStoreConformance
{
    /// <summary>What a copy kept elsewhere must hear of.</summary>
    [Fact]
    public async Task A_subscriber_hears_of_what_is_replaced_and_deleted()
    {
        var (news, subscription) = await SubscribedAsync();
        await using (subscription)
        {
            var (key, current) = await CreatedAsync(Record("1", labels: "subject:1"));
            Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, current, Record("2", labels: "subject:1"), Cancel)).Outcome);
            var told = (await HeardAsync(news, new(SessionNotificationKind.Changed, key))).Version;
            var stored = await ReadAsync(key);
            Assert.Equal(stored.Version, told ?? stored.Version);
            Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, stored, Cancel)).Outcome);
            await HeardAsync(news, new(SessionNotificationKind.Ended, key));
            var (whatever, _) = await CreatedAsync(Record("3"));
            await Store.DeleteAsync(whatever, null, Cancel);
            await HeardAsync(news, new(SessionNotificationKind.Ended, whatever));
        }
    }

    /// <summary>Ending all sessions of a user is heard of for each of them.</summary>
    [Fact]
    public async Task A_subscriber_hears_of_each_record_that_is_deleted_by_label()
    {
        var (news, subscription) = await SubscribedAsync();
        var index = LabelIndex;
        await using (subscription)
        {
            var keys = new HashSet<string>(StringComparer.Ordinal);
            for (var number = 0; number < 20; number++) keys.Add((await CreatedAsync(Record("ended", labels: "subject:1"))).Key);
            Assert.Equal(20, await index.DeleteByLabelAsync("subject:1", Cancel));
            while (keys.Count > 0)
            {
                var heard = await news.ReadAsync(Cancel);
                if (heard.Kind == SessionNotificationKind.Ended) keys.Remove(heard.Key!);
            }
        }
    }

    /// <summary>What did not happen is not told.</summary>
    [Fact]
    public async Task A_write_that_changed_nothing_is_not_told_of()
    {
        var (news, subscription) = await SubscribedAsync();
        await using (subscription)
        {
            var (key, stale) = await CreatedAsync(Record("1"));
            await Store.ReplaceAsync(key, stale, Record("2"), Cancel);
            var told = await HeardAsync(news, new(SessionNotificationKind.Changed, key));
            await Store.ReplaceAsync(key, stale, Record("never"), Cancel);
            await Store.DeleteAsync(key, stale, Cancel);
            await Store.TouchAsync(key, await ReadAsync(key), Now + Hours(3), Cancel);
            var (last, _) = await CreatedAsync(Record("last"));
            await Store.DeleteAsync(last, null, Cancel);
            for (var heard = await news.ReadAsync(Cancel); heard.Key != last; heard = await news.ReadAsync(Cancel))
            {
                // What happened is told at least once.
                Assert.True(heard.Key != key || heard == told);
            }
        }
    }

    /// <summary>Who stopped listening is left in peace.</summary>
    [Fact]
    public async Task A_subscription_that_was_disposed_of_hears_nothing_and_others_go_on()
    {
        var (stopped, subscription) = await SubscribedAsync();
        await subscription.DisposeAsync();
        var (news, other) = await SubscribedAsync();
        await using (other)
        {
            var (key, _) = await CreatedAsync(Record("1"));
            await Store.DeleteAsync(key, null, Cancel);
            await HeardAsync(news, new(SessionNotificationKind.Ended, key));
            Assert.False(stopped.TryRead(out _));
        }
    }

    private async Task<(ChannelReader<SessionNotification> News, IAsyncDisposable Subscription)> SubscribedAsync()
    {
        Assert.SkipUnless(HasNotifications, "The database is declared to have no way to notify.");
        var channel = Channel.CreateUnbounded<SessionNotification>();
        var listener = Capability<ISessionNotifications>(_stores[^1]);
        return (channel.Reader, await listener.SubscribeAsync(notification => channel.Writer.TryWrite(notification), Cancel));
    }

    private static async Task<SessionNotification> HeardAsync(ChannelReader<SessionNotification> news, SessionNotification expected)
    {
        SessionNotification heard;
        do heard = await news.ReadAsync(Cancel);
        while ((heard.Kind, heard.Key) != (expected.Kind, expected.Key));
        return heard;
    }
}
