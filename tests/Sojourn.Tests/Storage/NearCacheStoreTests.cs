using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Diagnostics;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>
/// What a near cache spares the store, and what it must not: nothing that is too old, and nothing that something heard meanwhile has outdated.
/// </summary>
public sealed class NearCacheStoreTests : IDisposable
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);

    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MemorySessionStore _memory = new();
    private readonly FaultInjectingStore _store;
    private readonly TellingStore _telling;
    private readonly NearCacheStore _near;

    public NearCacheStoreTests()
    {
        _store = new(_memory);
        _telling = new(_store);
        _near = New();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IMeterFactory Meters => _services.GetRequiredService<IMeterFactory>();

    private int Reads => _store.CallsOf(StoreVerb.Read);

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task A_copy_answers_until_it_is_as_old_as_it_may_be()
    {
        var created = await CreatedAsync("key");
        _time.Advance(MaxStaleness - Tick);
        Assert.Same(created, await ReadAsync("key"));
        Assert.Equal(1, Reads);
        _time.Advance(Tick);
        await ReadAsync("key");
        Assert.Equal(2, Reads);
    }

    [Fact]
    public async Task A_copy_is_as_old_as_its_reading_which_may_have_taken_its_time()
    {
        await _memory.CreateAsync("key", Record("1"), Cancel);
        var held = _store.On(StoreVerb.Read).Hold();
        var slow = ReadAsync("key");
        await held.Arrived;
        _time.Advance(MaxStaleness - Tick);
        held.Release();
        await slow;
        await ReadAsync("key");
        Assert.Equal(1, Reads);
        _time.Advance(Tick);
        await ReadAsync("key");
        Assert.Equal(2, Reads);
    }

    [Fact]
    public async Task What_another_process_ended_or_changed_is_served_for_as_long_and_no_longer()
    {
        var (changed, ended) = (await CreatedAsync("changed"), await CreatedAsync("ended"));
        await _memory.ReplaceAsync("changed", changed, Record("2"), Cancel);
        await _memory.DeleteAsync("ended", null, Cancel);
        _time.Advance(MaxStaleness - Tick);
        Assert.Equal(("1", "1"), (TextOf(await ReadAsync("changed")), TextOf(await ReadAsync("ended"))));
        _time.Advance(Tick);
        Assert.Equal(("2", null), (TextOf(await ReadAsync("changed")), TextOf(await ReadAsync("ended"))));
    }

    [Fact]
    public async Task A_store_that_fails_is_not_covered_up_by_a_copy_that_is_too_old()
    {
        await CreatedAsync("key");
        _store.On(StoreVerb.Read).Fail();
        Assert.Equal("1", TextOf(await ReadAsync("key")));
        _time.Advance(MaxStaleness);
        await Assert.ThrowsAsync<InjectedFaultException>(() => ReadAsync("key"));
        _store.Clear();
        Assert.Equal("1", TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task What_this_process_wrote_is_served_at_once_and_without_a_reading()
    {
        var record = await CreatedAsync("key");
        var replaced = await _near.ReplaceAsync("key", record, Record("2"), Cancel);
        Assert.Same(replaced.Record, await ReadAsync("key"));
        var touched = await _near.TouchAsync("key", replaced.Record!, record.ExpiresAt.AddHours(1), Cancel);
        Assert.Equal(record.ExpiresAt.AddHours(1), (await ReadAsync("key"))!.ExpiresAt);
        Assert.Equal(1, Reads);
        Assert.Equal(WriteOutcome.Done, (await _near.DeleteAsync("key", touched.Record, Cancel)).Outcome);
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task What_this_process_ended_by_a_label_or_pruned_is_served_no_more()
    {
        var index = _near.As<ISessionIndex>()!;
        await CreatedAsync("ended", "subject:1");
        var late = await CreatedAsync("labelled since");
        await _memory.ReplaceAsync("labelled since", late, Record("2", "subject:1"), Cancel);
        Assert.Equal(2, await index.DeleteByLabelAsync("subject:1", Cancel));
        Assert.Null(await ReadAsync("ended"));
        Assert.Null(await ReadAsync("labelled since"));
        await CreatedAsync("expired");
        Assert.Equal(1, await _near.As<IExpiringStore>()!.PruneAsync(_time.GetUtcNow().AddHours(2), Cancel));
        Assert.Null(await ReadAsync("expired"));
    }

    [Theory]
    [InlineData("conflict")]
    [InlineData("gone")]
    [InlineData("answer lost")]
    [InlineData("failed")]
    public async Task A_write_that_was_not_done_or_may_not_have_been_drops_the_copy(string how)
    {
        var record = await CreatedAsync("key");
        switch (how)
        {
            case "conflict":
                await _memory.ReplaceAsync("key", record, Record("2"), Cancel);
                Assert.Equal(WriteOutcome.Conflict, (await _near.ReplaceAsync("key", record, Record("3"), Cancel)).Outcome);
                break;
            case "gone":
                await _memory.DeleteAsync("key", null, Cancel);
                Assert.Equal(WriteOutcome.Gone, (await _near.TouchAsync("key", record, record.ExpiresAt, Cancel)).Outcome);
                break;
            case "answer lost":
                _store.On(StoreVerb.Replace).LoseAnswer();
                await Assert.ThrowsAsync<InjectedFaultException>(async () => await _near.ReplaceAsync("key", record, Record("2"), Cancel));
                break;
            default:
                _store.On(StoreVerb.Delete).Fail();
                await Assert.ThrowsAsync<InjectedFaultException>(async () => await _near.DeleteAsync("key", null, Cancel));
                break;
        }

        Assert.Equal(0, _near.Copies.Count);
        Assert.Equal(TextOf(await _memory.ReadAsync("key", Cancel)), TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task Readers_of_one_key_share_one_reading_and_one_that_gives_up_leaves_it_to_the_others()
    {
        await _memory.CreateAsync("key", Record("1"), Cancel);
        var held = _store.On(StoreVerb.Read).Hold();
        using var givesUp = new CancellationTokenSource();
        var first = _near.ReadAsync("key", givesUp.Token).AsTask();
        await held.Arrived;
        var others = Enumerable.Range(0, 100).Select(_ => ReadAsync("key")).ToList();
        await givesUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        held.Release();
        Assert.All(await Task.WhenAll(others), record => Assert.Equal("1", TextOf(record)));
        Assert.Equal(1, Reads);
    }

    [Fact]
    public async Task Readers_who_shared_a_reading_that_failed_are_told_so_and_the_next_one_asks_again()
    {
        await _memory.CreateAsync("key", Record("1"), Cancel);
        var held = _store.On(StoreVerb.Read).Hold();
        _store.On(StoreVerb.Read).Fail(times: 1);
        var both = new[] { ReadAsync("key"), ReadAsync("key") };
        await held.Arrived;
        held.Release();
        foreach (var reader in both) await Assert.ThrowsAsync<InjectedFaultException>(() => reader);
        Assert.Equal("1", TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task A_reading_that_hangs_is_not_shared_with_who_comes_later()
    {
        await _memory.CreateAsync("key", Record("1"), Cancel);
        var held = _store.On(StoreVerb.Read).Hold();
        var hanging = ReadAsync("key");
        await held.Arrived;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("1", TextOf(await ReadAsync("key")));
        held.Release();
        await hanging;
    }

    [Theory]
    [InlineData("replaced")]
    [InlineData("ended")]
    [InlineData("told of a change")]
    [InlineData("told of an end")]
    [InlineData("told that something was missed")]
    public async Task A_reading_that_began_before_something_was_heard_is_neither_shared_nor_kept(string what)
    {
        await using var listening = await _near.SubscribeAsync(static _ => { }, Cancel);
        await _memory.CreateAsync("key", Record("1"), Cancel);
        var record = (await _memory.ReadAsync("key", Cancel))!;
        var late = new LateAnswer(_telling);
        var near = New(late);
        await using var ears = await near.SubscribeAsync(static _ => { }, Cancel);
        var slow = near.ReadAsync("key", Cancel).AsTask();
        await late.HasRead;
        switch (what)
        {
            case "replaced":
                await near.ReplaceAsync("key", record, Record("2"), Cancel);
                break;
            case "ended":
                await near.DeleteAsync("key", null, Cancel);
                break;
            default:
                await _memory.ReplaceAsync("key", record, Record("2"), Cancel);
                _telling.Tell(what switch
                {
                    "told of a change" => SessionNotificationKind.Changed,
                    "told of an end" => SessionNotificationKind.Ended,
                    _ => SessionNotificationKind.Missed,
                }, what.EndsWith("missed", StringComparison.Ordinal) ? null : "key");
                break;
        }

        var now = what == "ended" ? null : "2";
        Assert.Equal(now, TextOf(await near.ReadAsync("key", Cancel)));
        late.Release();
        Assert.Equal("1", TextOf(await slow));
        Assert.Equal(now, TextOf(await near.ReadAsync("key", Cancel)));
    }

    [Fact]
    public async Task News_of_the_very_version_that_is_copied_or_being_written_costs_no_copy()
    {
        await using var listening = await _near.SubscribeAsync(static _ => { }, Cancel);
        var record = await CreatedAsync("key");

        // Told before the answer of the write is there.
        var late = new LateAnswer(_telling);
        var near = New(late);
        await using var ears = await near.SubscribeAsync(static _ => { }, Cancel);
        var writing = near.ReplaceAsync("key", record, Record("2"), Cancel).AsTask();
        await late.HasWritten;
        var version = (await _memory.ReadAsync("key", Cancel))!.Version;
        _telling.Tell(SessionNotificationKind.Changed, "key", version);
        late.Release();
        await writing;
        Assert.Equal(1, near.Copies.Count);
        Assert.Equal(0, _near.Copies.Count);

        // Told afterwards, and told of what came next.
        _telling.Tell(SessionNotificationKind.Changed, "key", version);
        Assert.Equal(1, near.Copies.Count);
        _telling.Tell(SessionNotificationKind.Changed, "key", new SessionVersion(version.Number + 1));
        Assert.Equal(0, near.Copies.Count);
    }

    [Fact]
    public async Task A_subscriber_who_reads_when_it_is_told_reads_what_it_was_told_of()
    {
        var record = await CreatedAsync("key");
        var read = "";
        await using var listening = await _near.SubscribeAsync(
            news => read = TextOf(_near.ReadAsync(news.Key!, Cancel).AsTask().GetAwaiter().GetResult()), Cancel);
        await ReadAsync("key");
        await _memory.ReplaceAsync("key", record, Record("2"), Cancel);
        _telling.Tell(SessionNotificationKind.Changed, "key");
        Assert.Equal("2", read);
    }

    [Fact]
    public async Task What_was_copied_before_a_subscription_stands_is_dropped()
    {
        await CreatedAsync("key");
        await using var listening = await _near.SubscribeAsync(static _ => { }, Cancel);
        Assert.Equal(0, _near.Copies.Count);
    }

    [Fact]
    public async Task A_key_without_a_record_is_not_kept_and_found_as_soon_as_it_has_one()
    {
        for (var i = 0; i < 3; i++) Assert.Null(await ReadAsync("key"));
        Assert.Equal((3, 0), (Reads, _near.Copies.Count));
        await _memory.CreateAsync("key", Record("1"), Cancel);
        Assert.Equal("1", TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task Copies_are_bounded_by_number_and_those_in_use_stay()
    {
        var near = New(options: new() { MaxStaleness = MaxStaleness, MaxSessions = 100 });
        for (var i = 0; i < 1_000; i++)
        {
            await CreatedAsync(Name(i), near: near);
            Assert.NotNull(near.Copies.Find(Name(0)));
        }

        Assert.Equal(100, near.Copies.Count);
        Assert.Null(near.Copies.Find(Name(500)));
    }

    [Fact]
    public async Task Copies_are_bounded_by_bytes_and_one_that_is_too_large_pushes_nobody_out()
    {
        var near = New(options: new() { MaxStaleness = MaxStaleness, MaxBytes = 64 * 1024 });
        for (var i = 0; i < 100; i++)
        {
            await CreatedAsync(Name(i), near: near, text: new string('x', 4_000));
            Assert.InRange(near.Copies.Bytes, 0, 64 * 1024);
        }

        var count = near.Copies.Count;
        Assert.InRange(count, 10, 16);
        await CreatedAsync("large", near: near, text: new string('x', 70_000));
        Assert.Equal(count, near.Copies.Count);
    }

    [Fact]
    public async Task A_hit_allocates_nothing()
    {
        var copied = await CreatedAsync("key");
        Assert.Same(copied, await _near.ReadAsync("key", Cancel));
        var (before, served) = (GC.GetAllocatedBytesForCurrentThread(), 0);
        for (var i = 0; i < 1_000; i++) served += await _near.ReadAsync("key", CancellationToken.None) == copied ? 1 : 0;
        Assert.Equal((before, 1_000), (GC.GetAllocatedBytesForCurrentThread(), served));
    }

    [Fact]
    public async Task Hits_misses_invalidations_and_evictions_are_counted()
    {
        var near = New(options: new() { MaxStaleness = MaxStaleness, MaxSessions = 2 });
        await using var listening = await near.SubscribeAsync(static _ => { }, Cancel);
        var (hits, misses, invalidations, evictions) = (Counted("hits"), Counted("misses"), Counted("invalidations"), Counted("evictions"));
        foreach (var key in new[] { "a", "b", "c" }) await CreatedAsync(key, near: near);
        await near.ReadAsync("c", Cancel);
        _telling.Tell(SessionNotificationKind.Ended, "c");
        _telling.Tell(SessionNotificationKind.Ended, "never seen");
        _telling.Tell(SessionNotificationKind.Missed);
        Assert.Equal((1, 3, 2, 1), (hits(), misses(), invalidations(), evictions()));

        Func<long> Counted(string name)
        {
            var collector = new MetricCollector<long>(Meters, SojournDiagnostics.MeterName, "sojourn.near_cache." + name);
            return () => collector.GetMeasurementSnapshot().Sum(measurement => measurement.Value);
        }
    }

    private static string Name(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? TextOf(SessionRecord? record) => record is null ? null : Encoding.UTF8.GetString(record.Document.Span);

    private NearCacheStore New(ISessionStore? store = null, NearCacheOptions? options = null) =>
        new(store ?? _telling, options ?? new() { MaxStaleness = MaxStaleness }, _time, new SessionMetrics(Meters));

    private Task<SessionRecord?> ReadAsync(string key) => _near.ReadAsync(key, Cancel).AsTask();

    private SessionRecord Record(string text, params ImmutableArray<string> labels) => new(Encoding.UTF8.GetBytes(text), _time.GetUtcNow().AddHours(1), labels);

    /// <summary>Created by this process and read, so that there is a copy.</summary>
    private async Task<SessionRecord> CreatedAsync(string key, string? label = null, NearCacheStore? near = null, string text = "1")
    {
        Assert.True(await (near ?? _near).CreateAsync(key, label is null ? Record(text) : Record(text, label), Cancel));
        return (await (near ?? _near).ReadAsync(key, Cancel))!;
    }

    /// <summary>Does the first reading or replacement, and keeps its answer back.</summary>
    private sealed class LateAnswer(TellingStore inner) : BareStore(inner), ISessionStore
    {
        private readonly TaskCompletionSource _hasRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _hasWritten = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task HasRead => _hasRead.Task;

        public Task HasWritten => _hasWritten.Task;

        public void Release() => _release.SetResult();

        public T? As<T>()
            where T : class => Inner.As<T>();

        public override async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
        {
            var read = await Inner.ReadAsync(key, cancellationToken);
            if (_hasRead.TrySetResult()) await _release.Task;
            return read;
        }

        public override async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        {
            var result = await Inner.ReplaceAsync(key, current, next, cancellationToken);
            if (!_hasRead.Task.IsCompleted && _hasWritten.TrySetResult()) await _release.Task;
            return result;
        }
    }
}
