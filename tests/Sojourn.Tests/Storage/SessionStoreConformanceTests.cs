using System.Collections.Concurrent;
using Sojourn.Storage;
using Sojourn.Testing;
using Xunit.Sdk;

namespace Sojourn.Tests.Storage;

/// <summary>A suite that cannot fail proves nothing: each of these stores breaks one promise, and the fact about that promise notices.</summary>
public sealed class SessionStoreConformanceTests
{
    [Fact]
    public Task A_store_that_makes_a_deleted_record_again_is_caught()
        => AssertCaughtAsync(new Reviving(), suite => suite.Replacing_what_is_gone_never_makes_it_again());

    [Fact]
    public Task A_store_that_revives_under_a_race_is_caught()
        => AssertCaughtAsync(new CheckingFirst(), suite => suite.A38_V1_V3_A_deleted_record_is_never_revived_by_a_parallel_replace_or_touch());

    [Fact]
    public Task A_store_whose_create_is_not_atomic_is_caught()
        => AssertCaughtAsync(new CheckingFirst(), suite => suite.Of_parallel_creates_one_wins());

    [Fact]
    public Task A_store_whose_replace_is_not_atomic_is_caught()
        => AssertCaughtAsync(new CheckingFirst(), suite => suite.A38_Of_parallel_replaces_of_the_same_record_one_wins());

    [Fact]
    public Task A_store_that_loses_updates_is_caught_by_its_sum()
        => AssertCaughtAsync(new CheckingFirst(), suite => suite.Parallel_counters_reach_the_exact_total());

    [Fact]
    public Task A_store_whose_touch_gives_a_new_version_is_caught()
        => AssertCaughtAsync(new VersionBumpingTouch(), suite => suite.A_touch_makes_no_conflict_for_a_writer());

    [Fact]
    public Task A_store_whose_touch_ignores_the_version_is_caught()
        => AssertCaughtAsync(new UnconditionalTouch(), suite => suite.Touching_another_version_is_a_conflict_and_changes_nothing());

    [Fact]
    public Task A_store_that_gives_a_version_again_is_caught()
        => AssertCaughtAsync(new CountingFromOne(), suite => suite.A_version_is_never_given_to_the_same_key_again());

    [Fact]
    public Task A_store_that_hides_what_has_expired_is_caught()
        => AssertCaughtAsync(new Judging(), suite => suite.A_record_past_its_expiry_is_read_while_it_is_there());

    [Fact]
    public Task A_store_that_is_less_than_it_declares_is_caught()
        => AssertCaughtAsync(new BareStore(new MemorySessionStore()), suite => Task.Run(suite.It_is_what_it_declares_to_be), hasIndex: true);

    private static async Task AssertCaughtAsync(ISessionStore broken, Func<SessionStoreConformance, Task> fact, bool hasIndex = false)
    {
        await using var suite = new Suite(broken, hasIndex);
        await suite.InitializeAsync();
        await Assert.ThrowsAnyAsync<XunitException>(() => fact(suite));
    }

    private sealed class Suite(ISessionStore store, bool hasIndex) : SessionStoreConformance
    {
        protected override bool HasIndex => hasIndex;

        protected override ValueTask<ISessionStore> CreateAsync() => new(store);
    }

    /// <summary>Replaces by writing, as a cache does.</summary>
    private sealed class Reviving() : BareStore(new MemorySessionStore())
    {
        public override async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        {
            var answer = await Inner.ReplaceAsync(key, current, next, cancellationToken);
            if (answer.Outcome == WriteOutcome.Gone) await Inner.CreateAsync(key, next, cancellationToken);
            return answer;
        }
    }

    /// <summary>Looks first and writes then, with a round trip between: right as long as nobody else is there.</summary>
    private class CheckingFirst : ISessionStore
    {
        private readonly ConcurrentDictionary<string, SessionRecord> _records = new(StringComparer.Ordinal);
        private long _lastVersion;

        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => new(_records.GetValueOrDefault(key));

        public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
        {
            if (_records.ContainsKey(key)) return false;
            await Task.Yield();
            _records[key] = record.WithVersion(VersionAfter(null));
            return true;
        }

        public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
            => WriteAsync(key, current, stored => next.WithVersion(VersionAfter(stored)));

        public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
            => WriteAsync(key, current, stored => stored.WithExpiry(expiresAt));

        public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
            => new(_records.TryRemove(key, out _) ? WriteResult.Done() : WriteResult.Gone);

        protected virtual SessionVersion VersionAfter(SessionRecord? stored) => new(Interlocked.Increment(ref _lastVersion));

        private async ValueTask<WriteResult> WriteAsync(string key, SessionRecord current, Func<SessionRecord, SessionRecord> next)
        {
            if (!_records.TryGetValue(key, out var stored)) return WriteResult.Gone;
            if (stored.Version != current.Version) return WriteResult.Conflict(stored);
            await Task.Yield();
            return WriteResult.Done(_records[key] = next(stored));
        }
    }

    /// <summary>Numbers the states of each record from one: after a delete and a create the numbers come again.</summary>
    private sealed class CountingFromOne : CheckingFirst
    {
        protected override SessionVersion VersionAfter(SessionRecord? stored) => new((stored?.Version.Number ?? 0) + 1);
    }

    private sealed class VersionBumpingTouch() : BareStore(new MemorySessionStore())
    {
        public override ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
            => Inner.ReplaceAsync(key, current, current.WithExpiry(expiresAt), cancellationToken);
    }

    private sealed class UnconditionalTouch() : BareStore(new MemorySessionStore())
    {
        public override async ValueTask<WriteResult> TouchAsync(
            string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
            => await ReadAsync(key, cancellationToken) is { } stored ? await Inner.TouchAsync(key, stored, expiresAt, cancellationToken) : WriteResult.Gone;
    }

    private sealed class Judging() : BareStore(new MemorySessionStore())
    {
        public override async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
            => await Inner.ReadAsync(key, cancellationToken) is { } record && record.ExpiresAt > TimeProvider.System.GetUtcNow() ? record : null;
    }
}
