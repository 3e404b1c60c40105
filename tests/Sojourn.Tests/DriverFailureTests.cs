using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>What a driver may throw at a bad moment.</summary>
public sealed class DriverFailureTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pruning_that_a_driver_cancels_is_tried_again()
    {
        var store = new TiredStore();
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(_time);
        services.AddLogging();
        services.AddSojournCore().UseStore(_ => store);
        services.Configure<SojournOptions>(o => o.ApplicationName = "tests");
        await using var provider = services.BuildServiceProvider();
        var pruning = (BackgroundService)provider.GetServices<IHostedService>().Single(service => service is PruneService);
        await pruning.StartAsync(Token);
        while (store.Pruned < 2)
        {
            Assert.False(pruning.ExecuteTask!.IsCompleted, $"{pruning.ExecuteTask.Status}: the host stops.");
            _time.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Token);
        }

        await pruning.StopAsync(Token);
    }

    [Fact]
    public async Task A_lease_that_fails_as_the_request_ends_leaves_the_turn_to_the_next()
    {
        var leases = new FailingLeases();
        var exclusive = new ExclusiveSessions(leases, TimeSpan.FromSeconds(5), _time, NullLogger.Instance);
        var turn = await exclusive.EnterAsync("key", Token);
        var advancing = Task.Run(() => _time.Advance(TimeSpan.FromSeconds(5)), Token);
        await leases.Renewing.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Exception? thrown = null;
        try
        {
            await turn.DisposeAsync();
        }
        catch (Exception e)
        {
            thrown = e;
        }

        await advancing;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await using var next = await exclusive.EnterAsync("key", patience.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"Nobody gets the turn any more; leaving it threw {thrown?.GetType().Name}.");
        }
    }

    private sealed class TiredStore() : BareStore(new MemorySessionStore()), IExpiringStore
    {
        public int Pruned { get; private set; }

        public ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
            Pruned++ == 0
                ? throw new TaskCanceledException("The request was canceled due to the configured HttpClient.Timeout of 100 seconds elapsing.")
                : new(0);
    }

    private sealed class FailingLeases : ISessionLease
    {
        private int _calls;

        public TaskCompletionSource Renewing { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _calls) != 2)
            {
                return new(true);
            }

            // The connection breaks while the lease is renewed, and the request ends at that moment.
            Renewing.SetResult();
            cancellationToken.WaitHandle.WaitOne();
            throw new IOException("The connection was closed.");
        }

        public ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken) => default;
    }
}
