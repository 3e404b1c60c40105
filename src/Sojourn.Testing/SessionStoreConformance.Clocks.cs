using Sojourn.Storage;

namespace Sojourn.Testing;

// Processes whose clocks differ: the end of a session shifts by as much, and nothing worse happens. The races run across both clocks, too.
public abstract partial class SessionStoreConformance
{
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    /// <summary>The store as another process has it, where there can be one.</summary>
    private ISessionStore Elsewhere => _stores[^1];

    /// <summary>Neither clock makes a record end by more than it is off.</summary>
    [Fact]
    public async Task A_record_ends_when_its_writer_said_give_or_take_what_clocks_differ()
    {
        foreach (var (writer, reader) in new[] { (Store, Elsewhere), (Elsewhere, Store) })
        {
            var (key, written) = (NewKey(), Record("written", 2 * Skew, "subject:1"));
            Assert.True(await writer.CreateAsync(key, written, Cancel));
            await AssertReadAsync(2 * Skew);
            var touched = await writer.TouchAsync(key, (await writer.ReadAsync(key, Cancel))!, Now + (3 * Skew), Cancel);
            Assert.Equal(WriteOutcome.Done, touched.Outcome);
            await AssertReadAsync(3 * Skew);
            var replaced = await reader.ReplaceAsync(key, (await reader.ReadAsync(key, Cancel))!, Record("replaced", 2 * Skew, "subject:1"), Cancel);
            Assert.Equal(WriteOutcome.Done, replaced.Outcome);
            await AssertReadAsync(2 * Skew);

            async Task AssertReadAsync(TimeSpan left)
            {
                await CatchUpAsync();
                foreach (var store in new[] { reader, writer })
                {
                    var read = await store.ReadAsync(key, Cancel);
                    Assert.NotNull(read);
                    Assert.True(
                        (Now + left - read.ExpiresAt).Duration() <= Skew + ExpiryResolution + TimeSpan.FromSeconds(10),
                        $"Now: {Now:O}; left: {left}; stored: {read.ExpiresAt:O}");
                }
            }
        }
    }

    /// <summary>A clock that is behind may bring an expiry back; what is gone stays gone.</summary>
    [Fact]
    public async Task Expiries_of_differing_clocks_are_no_conflict_and_revive_nothing()
    {
        var key = NewKey();
        Assert.True(await Elsewhere.CreateAsync(key, Record("one", Hours(1) + Skew), Cancel));
        var here = await ReadAsync(key);
        var there = (await Elsewhere.ReadAsync(key, Cancel))!;
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal(WriteOutcome.Done, (await Store.TouchAsync(key, here, Now + Hours(1), Cancel)).Outcome);
            Assert.Equal(WriteOutcome.Done, (await Elsewhere.TouchAsync(key, there, Now + Hours(1) + Skew, Cancel)).Outcome);
        }

        AssertSameDocument(here.Document, (await ReadAsync(key)).Document);
        Assert.Equal(WriteOutcome.Done, (await Elsewhere.DeleteAsync(key, there, Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Gone, (await Store.TouchAsync(key, here, Now + Hours(1), Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Gone, (await Store.ReplaceAsync(key, here, Record("two"), Cancel)).Outcome);
        await AssertGoneAsync(key);
        Assert.Null(await Elsewhere.ReadAsync(key, Cancel));
    }

    /// <summary>Whoever takes the label off last must not take off what another process, by an earlier clock, has put on since.</summary>
    [Fact]
    public async Task A_label_that_is_taken_off_here_and_put_on_there_at_once_finds_its_record()
    {
        _ = LabelIndex;
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("on", labels: "subject:1"));
            await Task.WhenAll(TakeOffAsync(key, current), PutOnAsync(key));
            Assert.Contains(await Index.FindAsync("subject:1", Cancel), found => found.Key == key);
            Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, null, Cancel)).Outcome);
        }

        async Task TakeOffAsync(string key, SessionRecord current) =>
            Assert.Equal(WriteOutcome.Done, (await Elsewhere.ReplaceAsync(key, current, Record("off"), Cancel)).Outcome);

        async Task PutOnAsync(string key)
        {
            var seen = await ReadAsync(key);
            while (!seen.Labels.IsEmpty)
            {
                await CatchUpAsync();
                seen = await ReadAsync(key);
            }
            Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, seen, Record("on again", labels: "subject:1"), Cancel)).Outcome);
        }
    }

    /// <summary>A process that is ahead ends what has less left than that, and no more.</summary>
    [Fact]
    public async Task Pruning_by_a_clock_ahead_leaves_what_lives_for_longer()
    {
        _ = Expiring;
        var elsewhere = Capability<IExpiringStore>(Elsewhere);
        var (ending, _) = await CreatedAsync(Record("ending", Skew / 2));
        var (alive, _) = await CreatedAsync(Record("alive", 2 * Skew));
        var (touched, read) = await CreatedAsync(Record("touched", Skew / 2));
        await Store.TouchAsync(touched, read, Now + (2 * Skew), Cancel);
        Assert.Equal(1, await elsewhere.PruneAsync(Now + Skew, Cancel));
        await CatchUpAsync();
        await AssertGoneAsync(ending);
        await ReadAsync(alive);
        AssertSameDocument(read.Document, (await ReadAsync(touched)).Document);
    }
}
