using Sojourn.Races;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>The race book on the memory store, and that it finds what it is there to find.</summary>
public sealed class RaceBookTests(ITestOutputHelper output)
{
    private const int Schedules = 500;

    [Fact]
    public async Task A38_No_schedule_of_two_verbs_on_one_session_ends_wrongly()
    {
        await using var course = await Course.OpenAsync(static clock => new MemorySessionStore(timeProvider: clock), isShared: true);
        var report = await Task.Run(() => new RaceBook(course).RunAsAskedAsync(Schedules));
        output.WriteLine(report.ToString());
        Assert.True(report.Failed == 0, "Schedules ended wrongly: see the output.");
    }

    [Theory]
    [InlineData(StoreFault.ReplacesWhateverIsThere, "An acknowledged change is lost.")]
    [InlineData(StoreFault.ReplacesWhatIsGone, "The session was ended, and lives.")]
    [InlineData(StoreFault.TouchesWhatIsGone, "The session was ended, and lives.")]
    [InlineData(StoreFault.DeletesWhatHasChanged, "An acknowledged change is lost.")]
    [InlineData(StoreFault.DeletesTwice, "The end was told 2 times.")]
    [InlineData(StoreFault.FindsNothingByHandle, "The subject has more sessions than they may.")]
    [InlineData(StoreFault.ForgetsWhoSignsIn, "The subject has more sessions than they may.")]
    public async Task A_store_that_breaks_its_contract_is_found_out(StoreFault fault, string wrong)
    {
        await using var course = await Course.OpenAsync(clock => new FaultyStore(new MemorySessionStore(timeProvider: clock), fault), isShared: true);
        var report = await Task.Run(() => new RaceBook(course).RunAsync(Schedules, until: wrong));
        Assert.Contains(report.Failures, failure => failure.Contains(wrong, StringComparison.Ordinal));

        // What it found it finds again, by the name that it tells.
        var name = report.Failures[0].Split('"')[1];
        var again = await Task.Run(() => new RaceBook(course).RunAsync(name));
        Assert.Equal(report.Failures[0], Assert.Single(again.Failures));
    }

    public enum StoreFault
    {
        ReplacesWhateverIsThere,
        ReplacesWhatIsGone,
        TouchesWhatIsGone,
        DeletesWhatHasChanged,
        DeletesTwice,
        FindsNothingByHandle,
        ForgetsWhoSignsIn,
    }

    /// <summary>A store with one fault.</summary>
    private sealed class FaultyStore(MemorySessionStore inner, StoreFault fault) : ISessionStore, ISessionIndex, IExpiringStore, ISubjectRegistry
    {
        public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => inner.ReadAsync(key, cancellationToken);

        public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken) =>
            inner.CreateAsync(key, record, cancellationToken);

        public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        {
            if (fault == StoreFault.ReplacesWhateverIsThere)
            {
                current = await inner.ReadAsync(key, cancellationToken) ?? current;
            }

            var result = await inner.ReplaceAsync(key, current, next, cancellationToken);
            return fault == StoreFault.ReplacesWhatIsGone && result.Outcome == WriteOutcome.Gone && await inner.CreateAsync(key, next, cancellationToken)
                ? WriteResult.Done()
                : result;
        }

        public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
        {
            var result = await inner.TouchAsync(key, current, expiresAt, cancellationToken);
            return fault == StoreFault.TouchesWhatIsGone
                && result.Outcome == WriteOutcome.Gone
                && await inner.CreateAsync(key, current.WithExpiry(expiresAt), cancellationToken)
                ? WriteResult.Done()
                : result;
        }

        public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
        {
            var result = await inner.DeleteAsync(key, fault == StoreFault.DeletesWhatHasChanged ? null : current, cancellationToken);
            return fault == StoreFault.DeletesTwice && result.Outcome == WriteOutcome.Gone ? WriteResult.Done() : result;
        }

        public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) =>
            fault == StoreFault.FindsNothingByHandle && label.StartsWith("handle:", StringComparison.Ordinal)
                ? new([])
                : inner.FindAsync(label, cancellationToken);

        public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
            inner.PageAsync(afterKey, limit, cancellationToken);

        public ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

        public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => inner.DeleteByLabelAsync(label, cancellationToken);

        public ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) => inner.PruneAsync(now, cancellationToken);

        public ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken) => inner.ReadSubjectAsync(subject, cancellationToken);

        public async ValueTask<bool> ReplaceSubjectAsync(
            string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
        {
            if (fault == StoreFault.ForgetsWhoSignsIn)
            {
                current = await inner.ReadSubjectAsync(subject, cancellationToken);
            }

            return await inner.ReplaceSubjectAsync(subject, current, next, keepUntil, cancellationToken);
        }
    }
}
