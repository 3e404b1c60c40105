using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>Two stores are a store: the same suite, and what it does not know of moving.</summary>
public sealed class MigratingStoreTests : SessionStoreConformance
{
    private readonly MemorySessionStore _from = new();
    private readonly MemorySessionStore _to = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DateTimeOffset InAnHour => TimeProvider.System.GetUtcNow().AddHours(1);

    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(New());

    protected override ValueTask<ISessionStore?> CreateSecondAsync() => new(New());

    /// <summary>Two stores of one kind, as two servers of Redis are: each is set up as it was told.</summary>
    [Fact]
    public async Task Two_stores_of_one_kind_have_options_of_their_own()
    {
        await using var services = Manager(builder => builder.UseMemory(o => o.MaxSessions = 1).MigratingFrom(old => old.UseMemory(o => o.MaxSessions = 100)));
        var store = services.GetRequiredService<ISessionStore>();
        Assert.True(await store.CreateAsync("one", Record("1"), Cancel));
        await Assert.ThrowsAsync<SessionStoreFullException>(async () => await store.CreateAsync("two", Record("2"), Cancel));
    }

    [Fact]
    public async Task What_is_only_read_stays_in_the_old_store_and_what_is_changed_moves()
    {
        await OldAsync("key", """{"n":1}""");
        var old = await ReadAsync("key");
        Assert.NotNull(await _from.ReadAsync("key", Cancel));
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync("key", old, Record("""{"n":2}""", "subject:1"), Cancel)).Outcome);
        Assert.Null(await _from.ReadAsync("key", Cancel));
        Assert.Equal("""{"n":2}""", TextOf(await _to.ReadAsync("key", Cancel)));
        Assert.Equal("""{"n":2}""", TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task A_touch_moves()
    {
        await OldAsync("key", "{}");
        var later = InAnHour.AddHours(1);
        Assert.Equal(WriteOutcome.Done, (await Store.TouchAsync("key", await ReadAsync("key"), later, Cancel)).Outcome);
        Assert.Null(await _from.ReadAsync("key", Cancel));
        Assert.Equal(later, (await ReadAsync("key")).ExpiresAt);
    }

    [Fact]
    public async Task What_another_process_moved_meanwhile_is_a_conflict_with_the_fresh_record()
    {
        await OldAsync("key", """{"n":1}""");
        var (mine, theirs) = (await ReadAsync("key"), await ReadAsync("key"));
        Assert.Equal(WriteOutcome.Done, (await New().ReplaceAsync("key", theirs, Record("""{"n":2}"""), Cancel)).Outcome);
        var answer = await Store.ReplaceAsync("key", mine, Record("""{"n":3}"""), Cancel);
        Assert.Equal((WriteOutcome.Conflict, """{"n":2}"""), (answer.Outcome, TextOf(answer.Record)));
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync("key", answer.Record!, Record("""{"n":4}"""), Cancel)).Outcome);
    }

    [Fact]
    public async Task Whoever_takes_a_record_out_of_the_old_store_while_it_moves_has_deleted_it()
    {
        await OldAsync("key", "{}");
        var (from, to) = (new FaultInjectingStore(_from), new FaultInjectingStore(_to));
        var old = await ReadAsync("key");
        var store = new MigratingStore(from, to, "app");
        var leaving = from.On(StoreVerb.Delete).Hold();
        var move = store.TouchAsync("key", old, InAnHour, Cancel).AsTask();
        await leaving.Arrived;
        var deleting = to.On(StoreVerb.Delete).Hold();
        var delete = store.DeleteAsync("key", await _to.ReadAsync("key", Cancel), Cancel).AsTask();
        await deleting.Arrived;
        leaving.Release();
        Assert.Equal(WriteOutcome.Gone, (await move).Outcome);
        deleting.Release();
        Assert.Equal(WriteOutcome.Done, (await delete).Outcome);
        Assert.Null(await store.ReadAsync("key", Cancel));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_destroyed_is_not_brought_back_by_a_request_that_had_read_it_before(bool hasMoved)
    {
        await OldAsync("key", "{}");
        var stale = await ReadAsync("key");
        if (hasMoved) await Store.TouchAsync("key", stale, InAnHour, Cancel);
        Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync("key", null, Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Gone, (await Store.ReplaceAsync("key", stale, Record("{}"), Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Gone, (await Store.TouchAsync("key", stale, InAnHour, Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Gone, (await Store.DeleteAsync("key", stale, Cancel)).Outcome);
        Assert.Null(await Store.ReadAsync("key", Cancel));
        Assert.Null(await _from.ReadAsync("key", Cancel));
        Assert.Equal(0, await Store.As<ISessionIndex>()!.CountAsync(Cancel));
    }

    [Fact]
    public async Task What_a_process_that_knows_only_the_old_store_changed_is_a_conflict_and_not_lost()
    {
        await OldAsync("key", """{"n":1}""");
        var read = await ReadAsync("key");
        await _from.ReplaceAsync("key", (await _from.ReadAsync("key", Cancel))!, Record("""{"n":2}"""), Cancel);
        var answer = await Store.ReplaceAsync("key", read, Record("""{"n":3}"""), Cancel);
        Assert.Equal((WriteOutcome.Conflict, """{"n":2}"""), (answer.Outcome, TextOf(answer.Record)));
        Assert.Equal("""{"n":2}""", TextOf(await ReadAsync("key")));
    }

    [Fact]
    public async Task A_crash_between_the_two_writes_leaves_the_session_as_it_was_written_and_a_destroy_ends_both()
    {
        await OldAsync("key", """{"n":1}""");
        var broken = new FaultInjectingStore(_from);
        broken.On(StoreVerb.Delete).Fail(times: 1);
        var store = new MigratingStore(broken, _to, "tests");
        await Assert.ThrowsAsync<InjectedFaultException>(async () => await store.ReplaceAsync("key", (await store.ReadAsync("key", Cancel))!, Record("""{"n":2}"""), Cancel));
        Assert.Equal("""{"n":2}""", TextOf(await ReadAsync("key")));
        Assert.Equal(1, await Store.As<ISessionIndex>()!.CountAsync(Cancel));
        await Store.DeleteAsync("key", await ReadAsync("key"), Cancel);
        Assert.Null(await _from.ReadAsync("key", Cancel));
        Assert.Null(await Store.ReadAsync("key", Cancel));
    }

    [Fact]
    public async Task Old_and_moved_sessions_are_found_counted_and_walked_through_once()
    {
        for (var number = 0; number < 50; number++) await OldAsync($"key-{number:00}", "{}", "subject:1");
        for (var number = 0; number < 50; number += 2) await Store.TouchAsync($"key-{number:00}", await ReadAsync($"key-{number:00}"), InAnHour, Cancel);
        await Store.DeleteAsync("key-07", null, Cancel);
        var index = Store.As<ISessionIndex>()!;
        Assert.Equal(49, await index.CountAsync(Cancel));
        Assert.Equal(49, (await index.FindAsync("subject:1", Cancel)).Select(found => found.Key).Distinct().Count());
        Assert.Equal(49, await index.DeleteByLabelAsync("subject:1", Cancel));
        Assert.Equal(0, await index.CountAsync(Cancel));
    }

    [Fact]
    public async Task Racing_to_move_a_session_loses_no_change()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var key = "key-" + round;
            await OldAsync(key, "0");
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => IncrementAsync(New(), key))));
            Assert.Equal("4", TextOf(await ReadAsync(key)));
            Assert.Null(await _from.ReadAsync(key, Cancel));
        }
    }

    [Fact]
    public async Task Racing_to_move_and_to_destroy_a_session_ends_it()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var key = "key-" + round;
            await OldAsync(key, "0");
            var stale = await ReadAsync(key);
            await Task.WhenAll(
                Task.Run(async () => await New().ReplaceAsync(key, stale, Record("1"), Cancel)),
                Task.Run(async () => await New().TouchAsync(key, stale, InAnHour, Cancel)),
                Task.Run(async () => await New().DeleteAsync(key, null, Cancel)));
            Assert.Null(await Store.ReadAsync(key, Cancel));
            Assert.Null(await _from.ReadAsync(key, Cancel));
        }
    }

    /// <summary>An npm layout files under ids, a native one under their hashes.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Sessions_move_between_a_native_layout_and_that_of_an_npm_store(bool toNative)
    {
        var (native, npm) = (new MemorySessionStore(), new NodeStore(new MemorySessionStore()));
        string id;
        await using (var before = Manager(builder => builder.UseStore(_ => toNative ? npm : native)))
        {
            var session = before.GetRequiredService<SessionManager>().Create();
            session.Set("name", "Ada");
            await before.GetRequiredService<SessionManager>().CommitAsync(session, Cancel);
            id = session.Id;
        }

        await using (var during = Manager(builder => builder.UseStore(_ => toNative ? native : npm).MigratingFrom(old => old.UseStore(_ => toNative ? npm : native))))
        {
            var manager = during.GetRequiredService<SessionManager>();
            var session = (await manager.LoadAsync(id, Cancel))!;
            Assert.Equal("Ada", session.Get<string>("name"));
            session.Set("more", 1);
            await manager.CommitAsync(session, Cancel);
        }

        await using var after = Manager(builder => builder.UseStore(_ => toNative ? native : npm));
        var moved = (await after.GetRequiredService<SessionManager>().LoadAsync(id, Cancel))!;
        Assert.Equal(("Ada", 1), (moved.Get<string>("name"), moved.Get<int>("more")));
        Assert.Equal(0, await (toNative ? npm.Inner : native).CountAsync(Cancel));
    }

    private static ServiceProvider Manager(Action<SojournBuilder> use)
    {
        var builder = new ServiceCollection().AddSojournCore();
        use(builder);
        return builder.Services.Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
    }

    private static SessionRecord Record(string document, params string[] labels) => new(Encoding.UTF8.GetBytes(document), InAnHour, [.. labels]);

    private static string? TextOf(SessionRecord? record) => record is null ? null : Encoding.UTF8.GetString(record.Document.Span);

    private static async Task IncrementAsync(MigratingStore store, string key)
    {
        var current = await store.ReadAsync(key, Cancel);
        while (true)
        {
            var next = (int.Parse(TextOf(current)!, System.Globalization.CultureInfo.InvariantCulture) + 1).ToString(
                System.Globalization.CultureInfo.InvariantCulture);
            var answer = await store.ReplaceAsync(key, current!, Record(next), Cancel);
            if (answer.Outcome == WriteOutcome.Done) return;
            Assert.Equal(WriteOutcome.Conflict, answer.Outcome);
            current = answer.Record ?? await store.ReadAsync(key, Cancel);
        }
    }

    private MigratingStore New() => new(_from, _to, "tests");

    private async Task OldAsync(string key, string document, params string[] labels) =>
        Assert.True(await _from.CreateAsync(key, Record(document, labels), Cancel));

    private async Task<SessionRecord> ReadAsync(string key) => (await Store.ReadAsync(key, Cancel))!;

    /// <summary>A store that files under ids and takes the content for the version.</summary>
    private sealed class NodeStore(MemorySessionStore inner) : BareStore(inner), INodeLayout
    {
        public new MemorySessionStore Inner => inner;

        public TimeSpan TimeToLive => TimeSpan.FromDays(1);

        public bool CanTouch => true;

        public SessionVersion VersionOf(SessionRecord record) => new(record.Document.ToArray());

        public override async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) =>
            await base.ReadAsync(key, cancellationToken) is { } record ? record.WithVersion(VersionOf(record)) : null;

        public override async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
            await inner.ReadAsync(key, cancellationToken) is { } stored && VersionOf(stored) == current.Version
                ? await base.ReplaceAsync(key, stored, next, cancellationToken)
                : WriteResult.Gone;

        public override async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
            current is null ? await base.DeleteAsync(key, null, cancellationToken)
            : await inner.ReadAsync(key, cancellationToken) is { } stored && VersionOf(stored) == current.Version ? await base.DeleteAsync(
                key, stored, cancellationToken)
            : WriteResult.Gone;
    }
}
