using System.Runtime.CompilerServices;

namespace Sojourn;

/// <summary>Streams that end with a session.</summary>
public static class SessionStreamExtensions
{
    /// <summary>
    /// The same stream for as long as the session lives: it completes when the session ends, whatever it waits for. For server-sent events, JSON streams, hub
    /// methods: <c>TypedResults.ServerSentEvents(orders.UntilEnded(session))</c>.
    /// </summary>
    /// <typeparam name="T">What is streamed.</typeparam>
    /// <param name="source">
    /// The stream. Its cancellation token is cancelled at the session's end, and when the client went away; one that does not listen is left alone, and
    /// disposed of when it comes to rest.
    /// </param>
    /// <param name="session">The session. Ask before the response starts, as a handler that returns the stream does.</param>
    /// <param name="keepAlive">Whether the stream keeps the session from ending for want of use (<see cref="Session.KeepAlive"/>); false by default.</param>
    /// <returns>The stream.</returns>
    public static IAsyncEnumerable<T> UntilEnded<T>(this IAsyncEnumerable<T> source, Session session, bool keepAlive = false)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(session);
        return StreamAsync(source, keepAlive ? session : null, session.Ended, session.RequestAborted, CancellationToken.None);
    }

    private static async IAsyncEnumerable<T> StreamAsync<T>(
        IAsyncEnumerable<T> source, Session? kept, CancellationToken ended, CancellationToken aborted,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var keeper = kept?.KeepAlive();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ended, aborted, cancellationToken);
        var items = source.GetAsyncEnumerator(either.Token);
        var moving = Task.FromResult(false);
        try
        {
            while (!ended.IsCancellationRequested)
            {
                moving = items.MoveNextAsync().AsTask();
                if (!await IsThereAsync(moving, either.Token, ended).ConfigureAwait(false))
                {
                    break;
                }

                yield return items.Current;
            }
        }
        finally
        {
            // A source that still waits is told, and disposed of when it has heard; one that does not listen is not waited for.
            await either.CancelAsync().ConfigureAwait(false);
            if (moving.IsCompleted)
            {
                await items.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                _ = DisposeLaterAsync(items, moving);
            }
        }
    }

    /// <summary>Whether there is another item before the session ends.</summary>
    private static async ValueTask<bool> IsThereAsync(Task<bool> moving, CancellationToken either, CancellationToken ended)
    {
        try
        {
            return await moving.WaitAsync(either).ConfigureAwait(false) && !ended.IsCancellationRequested;
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            return false;
        }
    }

    private static async Task DisposeLaterAsync<T>(IAsyncEnumerator<T> items, Task moving)
    {
        await moving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await items.DisposeAsync().ConfigureAwait(false);
    }
}
