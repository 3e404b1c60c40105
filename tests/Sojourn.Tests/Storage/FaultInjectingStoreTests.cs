using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>Without rules it is a store like the one it wraps: it passes the same suite.</summary>
public sealed class FaultInjectingStoreTests : SessionStoreConformance
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemorySessionStore _inner = new();
    private readonly SessionRecord _record = new("{}"u8.ToArray(), DateTimeOffset.UnixEpoch);
    private readonly FaultInjectingStore _store;

    public FaultInjectingStoreTests() => _store = new(_inner, _time);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(_store);

    [Fact]
    public async Task A_call_that_fails_has_not_reached_the_store()
    {
        _store.On(StoreVerb.Create).Fail();
        for (var call = 0; call < 3; call++)
        {
            var fault = await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync);
            Assert.Equal((StoreVerb.Create, false), (fault.Verb, fault.TookEffect));
        }
        Assert.Null(await _inner.ReadAsync("a", Cancel));
    }

    [Fact]
    public async Task A_call_whose_answer_is_lost_has_taken_effect()
    {
        _store.On(StoreVerb.Create).LoseAnswer();
        var fault = await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync);
        Assert.Equal((StoreVerb.Create, true), (fault.Verb, fault.TookEffect));
        Assert.NotNull(await _inner.ReadAsync("a", Cancel));
    }

    [Fact]
    public async Task A_rule_for_so_many_calls_is_over_then_and_the_next_takes_its_turn()
    {
        _store.On(StoreVerb.Create).Fail(times: 2).LoseAnswer(times: 1);
        Assert.False((await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync)).TookEffect);
        Assert.False((await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync)).TookEffect);
        Assert.True((await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync)).TookEffect);
        Assert.False(await CreateOneAsync());
    }

    [Theory]
    [InlineData(StoreVerb.Read)]
    [InlineData(StoreVerb.Create)]
    [InlineData(StoreVerb.Replace)]
    [InlineData(StoreVerb.Touch)]
    [InlineData(StoreVerb.Delete)]
    public async Task A_rule_is_for_its_verb_only(StoreVerb ruled)
    {
        _store.On(ruled).Fail();
        foreach (var verb in Enum.GetValues<StoreVerb>().Where(verb => verb != ruled)) await CallAsync(verb);
        Assert.Equal(ruled, (await Assert.ThrowsAsync<InjectedFaultException>(() => CallAsync(ruled))).Verb);
    }

    [Fact]
    public async Task A_delayed_call_reaches_the_store_when_its_time_has_come()
    {
        _store.On(StoreVerb.Create).Delay(TimeSpan.FromSeconds(10));
        var creating = CreateOneAsync();
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(creating.IsCompleted);
        Assert.Null(await _inner.ReadAsync("a", Cancel));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await creating);
    }

    [Fact]
    public async Task A_held_call_waits_until_it_is_released_and_the_next_passes_it()
    {
        var held = _store.On(StoreVerb.Create).Hold();
        Assert.False(held.Arrived.IsCompleted);
        var first = CreateOneAsync();
        await held.Arrived;
        Assert.True(await CreateOneAsync());
        Assert.False(first.IsCompleted);
        held.Release();
        Assert.False(await first);
    }

    [Fact]
    public async Task A_call_released_beforehand_is_not_held()
    {
        _store.On(StoreVerb.Create).Hold().Release();
        Assert.True(await CreateOneAsync());
    }

    [Fact]
    public async Task Two_holds_hold_one_call_twice()
    {
        var first = _store.On(StoreVerb.Create).Hold();
        var second = _store.On(StoreVerb.Create).Hold();
        var creating = CreateOneAsync();
        await first.Arrived;
        first.Release();
        await second.Arrived;
        Assert.Null(await _inner.ReadAsync("a", Cancel));
        second.Release();
        Assert.True(await creating);
    }

    [Fact]
    public async Task A_call_waits_first_and_fails_then()
    {
        var rule = _store.On(StoreVerb.Create);
        var held = rule.Hold();
        rule.Fail(times: 1);
        var creating = CreateOneAsync();
        await held.Arrived;
        Assert.False(creating.IsCompleted);
        held.Release();
        await Assert.ThrowsAsync<InjectedFaultException>(() => creating);
    }

    [Fact]
    public async Task A_call_cancelled_while_it_waits_has_not_reached_the_store()
    {
        using var source = new CancellationTokenSource();
        var held = _store.On(StoreVerb.Create).Hold();
        var creating = _store.CreateAsync("a", _record, source.Token).AsTask();
        await held.Arrived;
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => creating);
        Assert.Null(await _inner.ReadAsync("a", Cancel));
    }

    [Fact]
    public async Task Clearing_removes_every_rule_and_holds_on_to_the_call_that_waits()
    {
        var held = _store.On(StoreVerb.Create).Hold();
        _store.On(StoreVerb.Read).Fail();
        var creating = CreateOneAsync();
        await held.Arrived;
        _store.Clear();
        Assert.Null(await _store.ReadAsync("a", Cancel));
        Assert.False(creating.IsCompleted);
        held.Release();
        Assert.True(await creating);
    }

    [Fact]
    public async Task Calls_are_counted_by_verb_failed_ones_included()
    {
        _store.On(StoreVerb.Create).Fail(times: 1);
        await Assert.ThrowsAsync<InjectedFaultException>(CreateOneAsync);
        foreach (var verb in Enum.GetValues<StoreVerb>()) await CallAsync(verb);
        Assert.Equal(2, _store.CallsOf(StoreVerb.Create));
        Assert.Equal(1, _store.CallsOf(StoreVerb.Delete));
        Assert.Equal(6, _store.Calls);
        _store.ResetCounts();
        Assert.Equal(0, _store.CallsOf(StoreVerb.Create));
        Assert.Equal(0, _store.Calls);
    }

    [Fact]
    public async Task Parallel_calls_use_up_a_rule_exactly()
    {
        _store.On(StoreVerb.Read).Fail(times: 500);
        var failed = 0;
        await Parallel.ForAsync(0, 2_000, Cancel, async (_, cancel) =>
        {
            try
            {
                await _store.ReadAsync("a", cancel);
            }
            catch (InjectedFaultException)
            {
                Interlocked.Increment(ref failed);
            }
        });
        Assert.Equal(500, failed);
        Assert.Equal(2_000, _store.CallsOf(StoreVerb.Read));
    }

    [Fact]
    public void It_can_do_what_the_store_inside_can_and_no_more()
    {
        Assert.Same(_inner, _store.As<ISessionIndex>());
        ISessionStore bare = new FaultInjectingStore(new BareStore(_inner));
        Assert.Null(bare.As<ISessionIndex>());
        Assert.Null(bare.As<IExpiringStore>());
    }

    [Fact]
    public void Senseless_rules_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On(StoreVerb.Read).Fail(times: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On(StoreVerb.Read).LoseAnswer(times: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On(StoreVerb.Read).Delay(TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => _store.On((StoreVerb)99));
    }

    private Task<bool> CreateOneAsync() => _store.CreateAsync("a", _record, Cancel).AsTask();

    private Task CallAsync(StoreVerb verb) => verb switch
    {
        StoreVerb.Read => _store.ReadAsync("a", Cancel).AsTask(),
        StoreVerb.Create => CreateOneAsync(),
        StoreVerb.Replace => _store.ReplaceAsync("a", _record, _record, Cancel).AsTask(),
        StoreVerb.Touch => _store.TouchAsync("a", _record, _record.ExpiresAt, Cancel).AsTask(),
        _ => _store.DeleteAsync("a", null, Cancel).AsTask(),
    };
}
