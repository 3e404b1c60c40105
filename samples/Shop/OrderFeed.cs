using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Shop;

/// <summary>Tells users of their orders as they are placed, on every device that looks.</summary>
public sealed class OrderFeed
{
    private static readonly TimeSpan Reconnect = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<string, ImmutableList<ChannelWriter<string>>> _looking = [];

    public void Tell(string user, string news)
    {
        foreach (var writer in _looking.GetValueOrDefault(user, []))
        {
            writer.TryWrite(news);
        }
    }

    /// <summary>Server-sent events. The first one says nothing, but how soon a browser comes again when the stream ends.</summary>
    public async IAsyncEnumerable<SseItem<string>> OfAsync(string user, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var news = Channel.CreateBounded<string>(new BoundedChannelOptions(100) { FullMode = BoundedChannelFullMode.DropOldest });
        _looking.AddOrUpdate(user, [news.Writer], (_, others) => others.Add(news.Writer));
        try
        {
            yield return new SseItem<string>("", "ready") { ReconnectionInterval = Reconnect };
            await foreach (var each in news.Reader.ReadAllAsync(cancellationToken))
            {
                yield return new SseItem<string>(each, "order");
            }
        }
        finally
        {
            _looking.AddOrUpdate(user, [], (_, others) => others.Remove(news.Writer));
        }
    }
}
