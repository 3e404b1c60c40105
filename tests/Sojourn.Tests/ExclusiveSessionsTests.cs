using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>A lease that nobody waits for any more is nobody's: the visitor who went away does not keep their own next request waiting.</summary>
public sealed class ExclusiveSessionsTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly SlowLeases _leases = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_lease_that_comes_after_the_wait_for_it_was_cancelled_is_given_back(bool failsInTheEnd)
    {
        var exclusive = NewProcess();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var entering = exclusive.EnterAsync("key", gone.Token).AsTask();
        var asked = await _leases.NextAsync();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => entering);
        await RequireGivenBackAsync(asked, failsInTheEnd);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_lease_that_comes_after_the_store_was_too_slow_is_given_back(bool isTried)
    {
        var exclusive = NewProcess();
        var entering = Task.Run<object?>(
            async () => isTried ? await exclusive.TryEnterAsync("key", Token) : await exclusive.EnterAsync("key", Token), Token);
        var asked = await _leases.NextAsync();
        while (!entering.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        }

        if (isTried) Assert.Null(await entering);
        else await Assert.ThrowsAsync<SessionStoreException>(() => entering);
        await RequireGivenBackAsync(asked, failsInTheEnd: false);
    }

    [Fact]
    public async Task A_renewal_that_is_under_way_as_the_turn_ends_keeps_nobody_waiting()
    {
        var entering = NewProcess().EnterAsync("key", Token).AsTask();
        (await _leases.NextAsync()).Answer.SetResult(true);
        var turn = await entering;
        _time.Advance(TimeSpan.FromSeconds(5));
        var renewal = await _leases.NextAsync();
        await turn.DisposeAsync();
        await RequireGivenBackAsync(renewal, failsInTheEnd: false);
    }

    private ExclusiveSessions NewProcess() => new(_leases, TimeSpan.FromSeconds(5), _time, NullLogger.Instance);

    private async Task RequireGivenBackAsync(SlowLeases.Asked asked, bool failsInTheEnd)
    {
        // Not before the store has answered: a release that overtakes the lease releases nothing.
        Assert.Empty(_leases.Released);
        if (failsInTheEnd) asked.Answer.SetException(new IOException("The connection was lost, after the database had got the command perhaps."));
        else asked.Answer.SetResult(true);
        for (var i = 0; i < 2_000 && _leases.Released.IsEmpty; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        }

        Assert.Equal([asked.Owner], _leases.Released);
    }

    private sealed class SlowLeases : ISessionLease
    {
        private readonly Channel<Asked> _asked = Channel.CreateUnbounded<Asked>();

        public ConcurrentQueue<string> Released { get; } = new();

        public ValueTask<Asked> NextAsync() => _asked.Reader.ReadAsync(Token);

        /// <summary>As a driver that cannot take back what it has sent.</summary>
        public ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
        {
            var asked = new Asked(owner, new(TaskCreationOptions.RunContinuationsAsynchronously));
            Assert.True(_asked.Writer.TryWrite(asked));
            return new(asked.Answer.Task);
        }

        public ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
        {
            Released.Enqueue(owner);
            return default;
        }

        public sealed record Asked(string Owner, TaskCompletionSource<bool> Answer);
    }
}
