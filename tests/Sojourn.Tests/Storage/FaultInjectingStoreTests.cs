using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>With nothing arranged it is a store like any other.</summary>
public sealed class FaultInjectingStoreTests : SessionStoreConformance
{
    private readonly MemorySessionStore _inner = new();
    private readonly FakeTimeProvider _time = new();
    private readonly FaultInjectingStore _store;
    private readonly SessionRecord _record = new("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddHours(1), ["subject:1"]);

    public FaultInjectingStoreTests() => _store = FaultInjectingStore.Around(_inner, _time);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected override ValueTask<ISessionStore> CreateAsync() => new(_store);

    [Fact]
    public async Task A_call_that_fails_changes_nothing_and_the_next_goes_through()
    {
        _store.On(StoreVerb.Create).Fail(times: 2);
        await Assert.ThrowsAsync<InjectedFaultException>(async () => await _store.CreateAsync("key", _record, Cancel));
        await Assert.ThrowsAsync<InjectedFaultException>(async () => await _store.CreateAsync("key", _record, Cancel));
        Assert.Null(await _inner.ReadAsync("key", Cancel));
        Assert.True(await _store.CreateAsync("key", _record, Cancel));
    }

    [Fact]
    public async Task An_answer_that_is_lost_has_taken_effect()
    {
        var lost = new IOException("The connection broke.");
        _store.On(StoreVerb.Create).LoseAnswer(exception: lost);
        Assert.Same(lost, await Assert.ThrowsAsync<IOException>(async () => await _store.CreateAsync("key", _record, Cancel)));
        Assert.NotNull(await _store.ReadAsync("key", Cancel));
    }

    [Fact]
    public async Task A_delayed_call_reaches_the_store_when_its_time_has_come()
    {
        _store.On(StoreVerb.Create).Delay(TimeSpan.FromSeconds(5));
        var creating = _store.CreateAsync("key", _record, Cancel).AsTask();
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Null(await _inner.ReadAsync("key", Cancel));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await creating);
    }

    [Fact]
    public async Task A_held_call_arrives_and_waits_until_it_is_released()
    {
        await _store.CreateAsync("key", _record, Cancel);
        var hold = _store.On(StoreVerb.Delete).Hold();
        Assert.False(hold.Arrived.IsCompleted);
        var deleting = _store.DeleteAsync("key", null, Cancel).AsTask();
        await hold.Arrived;
        Assert.False(deleting.IsCompleted);
        Assert.NotNull(await _store.ReadAsync("key", Cancel));
        hold.Release();
        Assert.Equal(WriteOutcome.Done, (await deleting).Outcome);
    }

    [Fact]
    public async Task A_held_call_that_is_cancelled_never_reaches_the_store()
    {
        var hold = _store.On(StoreVerb.Create).Hold();
        using var source = new CancellationTokenSource();
        var creating = _store.CreateAsync("key", _record, source.Token).AsTask();
        await hold.Arrived;
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => creating);
        Assert.Null(await _inner.ReadAsync("key", Cancel));
    }

    [Fact]
    public async Task Faults_happen_in_the_order_in_which_they_were_arranged_to_their_own_verbs_only()
    {
        var first = new IOException("first");
        var second = new IOException("second");
        _store.On(StoreVerb.Read | StoreVerb.Delete).Fail(exception: first);
        _store.On(StoreVerb.Delete).Fail(exception: second);
        Assert.Equal(0, await ((ISessionIndex)_store).CountAsync(Cancel));
        Assert.Same(first, await Assert.ThrowsAsync<IOException>(async () => await _store.DeleteAsync("key", null, Cancel)));
        Assert.Null(await _store.ReadAsync("key", Cancel));
        Assert.Same(second, await Assert.ThrowsAsync<IOException>(async () => await _store.DeleteAsync("key", null, Cancel)));
        Assert.Equal(WriteOutcome.Gone, (await _store.DeleteAsync("key", null, Cancel)).Outcome);
    }

    [Fact]
    public async Task What_always_fails_fails_until_it_is_cleared()
    {
        _store.On(StoreVerb.All).Fail(FaultInjectingStore.Always);
        for (var call = 0; call < 10; call++) await Assert.ThrowsAsync<InjectedFaultException>(async () => await _store.ReadAsync("key", Cancel));
        _store.Clear();
        Assert.Null(await _store.ReadAsync("key", Cancel));
    }

    [Fact]
    public async Task Calls_are_counted_by_verb_whether_or_not_they_fail()
    {
        _store.On(StoreVerb.Read).Fail();
        await Assert.ThrowsAsync<InjectedFaultException>(async () => await _store.ReadAsync("key", Cancel));
        await _store.ReadAsync("key", Cancel);
        await _store.CreateAsync("key", _record, Cancel);
        await ((ISessionIndex)_store).DeleteByLabelAsync("subject:1", Cancel);
        Assert.Equal(2, _store.Calls(StoreVerb.Read));
        Assert.Equal(2, _store.Calls(StoreVerb.Write));
        Assert.Equal(4, _store.Calls());
        Assert.Equal(0, _store.Calls(StoreVerb.Touch | StoreVerb.Prune));
    }

    [Fact]
    public async Task Of_parallel_calls_exactly_as_many_fail_as_were_arranged()
    {
        _store.On(StoreVerb.Read).Fail(times: 100);
        var failed = 0;
        await Parallel.ForAsync(0, 1_000, Cancel, async (_, cancel) =>
        {
            try
            {
                await _store.ReadAsync("key", cancel);
            }
            catch (InjectedFaultException)
            {
                Interlocked.Increment(ref failed);
            }
        });
        Assert.Equal(100, failed);
        Assert.Equal(1_000, _store.Calls(StoreVerb.Read));
    }

    [Fact]
    public void It_can_do_what_the_store_inside_can_do_and_no_more()
    {
        var bare = FaultInjectingStore.Around(new BareStore(_inner));
        Assert.False(bare is IExpiringStore or ISessionIndex);
        Assert.True(_store is IExpiringStore and ISessionIndex);
    }

    [Fact]
    public void Senseless_arrangements_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On(StoreVerb.Read).Fail(times: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On(StoreVerb.Read).Delay(TimeSpan.FromSeconds(-1)));
    }
}
