using System.Globalization;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

public sealed class MemorySessionStoreTests : SessionStoreConformance
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Records are kept as they are, to the tick.</summary>
    protected override TimeSpan ExpiryResolution => TimeSpan.Zero;

    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(new MemorySessionStore());

    [Fact]
    public async Task A_read_hands_out_the_stored_record_itself_and_allocates_nothing()
    {
        await Store.CreateAsync("key", Expiring(Start), Cancel);
        var record = await Store.ReadAsync("key", Cancel);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var read = Store.ReadAsync("key", Cancel);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(read.IsCompletedSuccessfully);
        Assert.Same(record, await read);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public async Task A_full_store_refuses_the_next_session_and_keeps_those_it_has()
    {
        var store = Bounded(2, new FakeTimeProvider(Start));
        Assert.True(await store.CreateAsync("a", Expiring(Start.AddHours(1)), Cancel));
        Assert.True(await store.CreateAsync("b", Expiring(Start.AddHours(1)), Cancel));
        var full = await Assert.ThrowsAsync<SessionStoreFullException>(
            async () => await store.CreateAsync("c", Expiring(Start.AddHours(1), "subject:c"), Cancel));
        Assert.Equal(2, full.MaxSessions);
        Assert.Equal(2, await store.CountAsync(Cancel));
        Assert.Empty(await store.FindAsync("subject:c", Cancel));
    }

    [Fact]
    public async Task A_full_store_still_tells_that_a_key_exists_and_still_replaces()
    {
        var store = Bounded(1, new FakeTimeProvider(Start));
        await store.CreateAsync("a", Expiring(Start.AddHours(1)), Cancel);
        Assert.False(await store.CreateAsync("a", Expiring(Start.AddHours(1)), Cancel));
        var current = await store.ReadAsync("a", Cancel);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("a", current!, Expiring(Start.AddHours(2)), Cancel)).Outcome);
    }

    [Fact]
    public async Task A_full_store_makes_room_by_pruning_what_has_expired()
    {
        var time = new FakeTimeProvider(Start);
        var store = Bounded(2, time);
        await store.CreateAsync("short", Expiring(Start.AddMinutes(20)), Cancel);
        await store.CreateAsync("long", Expiring(Start.AddHours(8)), Cancel);
        time.Advance(TimeSpan.FromMinutes(20));
        Assert.True(await store.CreateAsync("next", Expiring(Start.AddHours(1)), Cancel));
        Assert.Null(await store.ReadAsync("short", Cancel));
        Assert.NotNull(await store.ReadAsync("long", Cancel));
    }

    [Fact]
    public async Task A_full_store_looks_for_expired_sessions_once_a_second_at_the_most()
    {
        var time = new FakeTimeProvider(Start);
        var store = Bounded(1, time);
        await store.CreateAsync("a", Expiring(Start.AddMilliseconds(500)), Cancel);
        await Assert.ThrowsAsync<SessionStoreFullException>(async () => await store.CreateAsync("b", Expiring(Start.AddHours(1)), Cancel));
        time.Advance(TimeSpan.FromMilliseconds(600));
        await Assert.ThrowsAsync<SessionStoreFullException>(async () => await store.CreateAsync("b", Expiring(Start.AddHours(1)), Cancel));
        time.Advance(TimeSpan.FromMilliseconds(600));
        Assert.True(await store.CreateAsync("b", Expiring(Start.AddHours(1)), Cancel));
    }

    [Fact]
    public async Task A_place_that_was_freed_is_taken_again()
    {
        var store = Bounded(3, new FakeTimeProvider(Start));
        for (var round = 0; round < 100; round++)
        {
            var key = round.ToString(CultureInfo.InvariantCulture);
            Assert.True(await store.CreateAsync(key, Expiring(Start.AddHours(1), "subject:1"), Cancel));
            if (round % 2 == 0) await store.DeleteAsync(key, null, Cancel);
            else await store.DeleteByLabelAsync("subject:1", Cancel);
        }
        Assert.Equal(0, await store.CountAsync(Cancel));
    }

    [Fact]
    public async Task Parallel_creates_fill_a_bounded_store_to_the_last_place_and_no_further()
    {
        var store = Bounded(500, new FakeTimeProvider(Start));
        var refused = 0;
        await Parallel.ForAsync(0, 1_000, Cancel, async (number, cancel) =>
        {
            try
            {
                await store.CreateAsync(number.ToString(CultureInfo.InvariantCulture), Expiring(Start.AddHours(1)), cancel);
            }
            catch (SessionStoreFullException)
            {
                Interlocked.Increment(ref refused);
            }
        });
        Assert.Equal(500, refused);
        Assert.Equal(500, await store.CountAsync(Cancel));
    }

    /// <summary>Against a model that looks at every record: expiries that come and go, clocks that leap and go back, keys that are used again.</summary>
    [Fact]
    public void Pruning_deletes_exactly_what_looking_at_every_record_would_find()
    {
        var seconds = Gen.Int[-600, 9_000];
        var steps = Gen.Select(Gen.Int[0, 5], Gen.Int[0, 4], seconds).Array[1, 60];
        steps.Sample(all =>
        {
            var store = new MemorySessionStore(timeProvider: new FakeTimeProvider(Start));
            var model = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
            var now = Start;
            foreach (var (verb, number, offset) in all)
            {
                var key = number.ToString(CultureInfo.InvariantCulture);
                var expiresAt = now.AddSeconds(offset);
                switch (verb)
                {
                    case 0:
                        if (Done(store.CreateAsync(key, Expiring(expiresAt), default))) model.Add(key, expiresAt);
                        break;
                    case 1 when Done(store.ReadAsync(key, default)) is { } current:
                        Done(store.TouchAsync(key, current, expiresAt, default));
                        model[key] = expiresAt;
                        break;
                    case 2 when Done(store.ReadAsync(key, default)) is { } current:
                        Done(store.ReplaceAsync(key, current, Expiring(expiresAt), default));
                        model[key] = expiresAt;
                        break;
                    case 3:
                        Done(store.DeleteAsync(key, null, default));
                        model.Remove(key);
                        break;
                    default:
                        now = expiresAt;
                        var expected = model.Where(entry => entry.Value <= now).Select(entry => entry.Key).ToList();
                        Assert.Equal(expected.Count, Done(store.PruneAsync(now, default)));
                        foreach (var expired in expected) model.Remove(expired);
                        break;
                }
                Assert.Equal(model.Keys.Order(StringComparer.Ordinal), Done(store.PageAsync(null, 1_000, default)).Select(pair => pair.Key));
            }
        });
    }

    /// <summary>Each time an expiry is brought forward its key is filed once more, until the wheel is filed anew: nobody may be left out then.</summary>
    [Fact]
    public async Task Expiries_are_kept_when_one_of_them_moves_back_and_forth_a_thousand_times()
    {
        var store = new MemorySessionStore(timeProvider: new FakeTimeProvider(Start));
        for (var number = 0; number < 1_000; number++)
        {
            await store.CreateAsync(number.ToString(CultureInfo.InvariantCulture), Expiring(Start.AddMinutes(20)), Cancel);
        }
        var current = await store.ReadAsync("7", Cancel);
        for (var round = 0; round < 1_000; round++)
        {
            await store.TouchAsync("7", current!, Start.AddMinutes(10), Cancel);
            await store.TouchAsync("7", current!, Start.AddMinutes(30), Cancel);
        }
        Assert.Equal(999, await store.PruneAsync(Start.AddMinutes(20), Cancel));
        Assert.Equal(1, await store.PruneAsync(Start.AddMinutes(30), Cancel));
    }

    [Fact]
    public async Task UseMemory_registers_one_store_with_the_given_limit()
    {
        var services = new ServiceCollection();
        new SojournBuilder(services).UseMemory(options => options.MaxSessions = 1);
        await using var provider = services.BuildServiceProvider();
        var store = Assert.IsType<MemorySessionStore>(provider.GetRequiredService<ISessionStore>());
        Assert.Same(store, provider.GetRequiredService<ISessionStore>());
        await store.CreateAsync("a", Expiring(DateTimeOffset.MaxValue), Cancel);
        await Assert.ThrowsAsync<SessionStoreFullException>(async () => await store.CreateAsync("b", Expiring(DateTimeOffset.MaxValue), Cancel));
    }

    [Fact]
    public async Task UseMemory_refuses_a_senseless_limit()
    {
        var services = new ServiceCollection();
        new SojournBuilder(services).UseMemory(options => options.MaxSessions = 0);
        await using var provider = services.BuildServiceProvider();
        var invalid = Assert.Throws<OptionsValidationException>(provider.GetRequiredService<ISessionStore>);
        Assert.Contains("MaxSessions", invalid.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemorySessionStore(new() { MaxSessions = 0 }));
    }

    private static MemorySessionStore Bounded(int maxSessions, TimeProvider time) => new(new() { MaxSessions = maxSessions }, time);

    private static SessionRecord Expiring(DateTimeOffset at, params string[] labels) => new("{}"u8.ToArray(), at, [.. labels]);

    /// <summary>The answer of a call that completes synchronously, which is a promise of this store.</summary>
    private static T Done<T>(ValueTask<T> call)
    {
        Assert.True(call.IsCompletedSuccessfully);
        return call.Result;
    }
}
