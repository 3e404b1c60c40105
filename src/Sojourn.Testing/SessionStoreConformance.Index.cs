using Sojourn.Storage;

namespace Sojourn.Testing;

// Finding records by label and walking through all of them.
public abstract partial class SessionStoreConformance
{
    /// <summary>All sessions of a user, and nobody else's.</summary>
    [Fact]
    public async Task A_label_finds_all_records_that_bear_it_and_no_others()
    {
        var index = LabelIndex;
        var (phone, _) = await CreatedAsync(Record("phone", labels: ["subject:1", "handle:a"]));
        var (laptop, stored) = await CreatedAsync(Record("laptop", labels: ["handle:b", "subject:1"]));
        await CreatedAsync(Record("another's", labels: "subject:2"));
        await CreatedAsync(Record("nobody's"));
        AssertKeys([phone, laptop], await index.FindAsync("subject:1", Cancel));
        var found = Assert.Single(await index.FindAsync("handle:b", Cancel)).Value;
        AssertHolds(stored, found);
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(laptop, found, Record("found and replaced"), Cancel)).Outcome);
        Assert.Empty(await index.FindAsync("subject:3", Cancel));
    }

    /// <summary>The engine judges expiries here too.</summary>
    [Fact]
    public async Task A_record_past_its_expiry_is_found_while_it_is_there()
    {
        var index = LabelIndex;
        Assert.SkipWhen(CleansUpByItself, "The database is declared to drop expired records by itself.");
        var (key, _) = await CreatedAsync(Record("late", -Hours(1), "subject:1"));
        AssertKeys([key], await index.FindAsync("subject:1", Cancel));
        AssertKeys([key], await index.PageAsync(null, 10, Cancel));
        Assert.Equal(1, await index.CountAsync(Cancel));
    }

    /// <summary>Signing in, out and in as somebody else, a session follows its user.</summary>
    [Fact]
    public async Task Replacing_a_record_moves_it_from_its_old_labels_to_its_new_ones()
    {
        var index = LabelIndex;
        var (key, current) = await CreatedAsync(Record("1", labels: ["subject:1", "handle:a"]));
        await Store.ReplaceAsync(key, current, Record("2", labels: ["subject:2", "handle:a"]), Cancel);
        Assert.Empty(await index.FindAsync("subject:1", Cancel));
        AssertKeys([key], await index.FindAsync("subject:2", Cancel));
        AssertKeys([key], await index.FindAsync("handle:a", Cancel));
        await Store.ReplaceAsync(key, await ReadAsync(key), Record("3"), Cancel);
        Assert.Empty(await index.FindAsync("subject:2", Cancel));
        Assert.Empty(await index.FindAsync("handle:a", Cancel));
    }

    /// <summary>A touch leaves labels alone.</summary>
    [Fact]
    public async Task A_record_that_was_touched_is_found_as_before()
    {
        var index = LabelIndex;
        var (key, current) = await CreatedAsync(Record("touched", labels: "subject:1"));
        await Store.TouchAsync(key, current, Now + Hours(5), Cancel);
        var found = Assert.Single(await index.FindAsync("subject:1", Cancel));
        Assert.Equal(key, found.Key);
        AssertSameExpiry((await ReadAsync(key)).ExpiresAt, found.Value.ExpiresAt);
    }

    /// <summary>What was not written is not found.</summary>
    [Fact]
    public async Task A_write_that_changed_nothing_changes_no_label()
    {
        var index = LabelIndex;
        var (key, stale) = await CreatedAsync(Record("first", labels: "subject:1"));
        await Store.CreateAsync(key, Record("never", labels: "subject:2"), Cancel);
        await Store.ReplaceAsync(key, stale, Record("second", labels: "subject:1"), Cancel);
        await Store.ReplaceAsync(key, stale, Record("never", labels: "subject:3"), Cancel);
        await Store.DeleteAsync(key, stale, Cancel);
        await Store.ReplaceAsync(NewKey(), stale, Record("never", labels: "subject:4"), Cancel);
        AssertKeys([key], await index.FindAsync("subject:1", Cancel));
        foreach (var label in new[] { "subject:2", "subject:3", "subject:4" }) Assert.Empty(await index.FindAsync(label, Cancel));
    }

    /// <summary>A key that is used again has the labels of its new record only.</summary>
    [Fact]
    public async Task A_deleted_record_is_not_found_nor_are_its_labels_when_its_key_is_used_again()
    {
        var index = LabelIndex;
        var (key, current) = await CreatedAsync(Record("first", labels: ["subject:1", "handle:a"]));
        await Store.DeleteAsync(key, current, Cancel);
        Assert.Empty(await index.FindAsync("subject:1", Cancel));
        await Store.CreateAsync(key, Record("second", labels: "handle:a"), Cancel);
        Assert.Empty(await index.FindAsync("subject:1", Cancel));
        AssertKeys([key], await index.FindAsync("handle:a", Cancel));
    }

    /// <summary>Ending all of a user's sessions.</summary>
    [Fact]
    public async Task Deleting_by_label_deletes_all_that_bear_it_and_no_others()
    {
        var index = LabelIndex;
        var ended = new List<string>();
        for (var number = 0; number < 30; number++) ended.Add((await CreatedAsync(Record("ended", labels: ["subject:1", "group:1"]))).Key);
        var (kept, _) = await CreatedAsync(Record("kept", labels: ["subject:2", "group:1"]));
        Assert.Equal(30, await index.DeleteByLabelAsync("subject:1", Cancel));
        foreach (var key in ended) await AssertGoneAsync(key);
        AssertKeys([kept], await index.FindAsync("group:1", Cancel));
        Assert.Equal(0, await index.DeleteByLabelAsync("subject:1", Cancel));
        Assert.Equal(1, await index.CountAsync(Cancel));
    }

    /// <summary>A filter with nothing set that matched everything would end every session there is.</summary>
    [Fact]
    public async Task An_empty_label_is_refused()
    {
        var index = LabelIndex;
        await CreatedAsync(Record("no label"));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await index.FindAsync("", Cancel));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await index.DeleteByLabelAsync("", Cancel));
        Assert.Equal(1, await index.CountAsync(Cancel));
    }

    /// <summary>An operator's first question.</summary>
    [Fact]
    public async Task The_count_follows_every_create_and_delete()
    {
        var index = Index;
        Assert.Equal(0, await index.CountAsync(Cancel));
        var (key, current) = await CreatedAsync(Record("1"));
        await CreatedAsync(Record("2", labels: ["subject:1", "handle:a"]));
        await Store.CreateAsync(key, Record("never"), Cancel);
        Assert.Equal(2, await index.CountAsync(Cancel));
        await Store.ReplaceAsync(key, current, Record("3"), Cancel);
        Assert.Equal(2, await index.CountAsync(Cancel));
        await Store.DeleteAsync(key, null, Cancel);
        await Store.DeleteAsync(key, null, Cancel);
        Assert.Equal(1, await index.CountAsync(Cancel));
    }

    /// <summary>Every record once, in one order everywhere, whatever the page's size.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(50)]
    [InlineData(1_000)]
    public async Task Walking_sees_every_record_once_in_the_order_of_keys(int limit)
    {
        var index = Index;
        var keys = new List<string> { "a", "A", "b", "B", "-", "_", "0", "aa", "a-", "a_", "Z", "z" };
        while (keys.Count < 50) keys.Add(NewKey());
        foreach (var key in keys) Assert.True(await Store.CreateAsync(key, Record(key, labels: "subject:1"), Cancel));
        var walked = await WalkAsync(index, limit);
        Assert.Equal(keys.Order(StringComparer.Ordinal), walked.Select(pair => pair.Key));
        foreach (var (key, record) in walked) await AssertUnchangedAsync(key, record);
    }

    /// <summary>A walk may start anywhere, and one without records ends at once.</summary>
    [Fact]
    public async Task A_page_starts_after_the_given_key_whether_or_not_that_exists()
    {
        var index = Index;
        Assert.Empty(await index.PageAsync(null, 10, Cancel));
        foreach (var key in new[] { "b", "d", "f" }) await Store.CreateAsync(key, Record(key), Cancel);
        Assert.Equal(["d", "f"], (await index.PageAsync("b", 10, Cancel)).Select(pair => pair.Key));
        Assert.Equal(["d"], (await index.PageAsync("c", 1, Cancel)).Select(pair => pair.Key));
        Assert.Empty(await index.PageAsync("f", 10, Cancel));
    }

    /// <summary>A page is a bounded thing.</summary>
    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1_001)]
    public async Task A_page_of_a_senseless_size_is_refused(int limit)
    {
        var index = Index;
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await index.PageAsync(null, limit, Cancel));
    }

    /// <summary>A walk takes a while, and meanwhile sessions come and go: those that stay are seen exactly once.</summary>
    [Fact]
    public async Task Walking_sees_what_stays_exactly_once_while_others_come_and_go()
    {
        var index = Index;
        var staying = new List<string>();
        for (var number = 0; number < 200; number++) staying.Add((await CreatedAsync(Record("staying"))).Key);
        using var walked = new CancellationTokenSource();
        var comingAndGoing = Task.WhenAll(Enumerable.Range(0, 2).Select(number => Task.Run(
            async () =>
            {
                for (var turn = number; !walked.IsCancellationRequested; turn++)
                {
                    var key = NewKey();
                    await Instance(number).CreateAsync(key, Record("passing"), Cancel);
                    var stays = staying[turn % staying.Count];
                    await Instance(number).ReplaceAsync(stays, await ReadAsync(stays), Record("staying, replaced"), Cancel);
                    await Instance(number).DeleteAsync(key, null, Cancel);
                }
            },
            Cancel)));
        try
        {
            for (var walk = 0; walk < 5; walk++)
            {
                var keys = (await WalkAsync(index, limit: 7)).Select(pair => pair.Key).ToList();
                Assert.Equal(keys.Order(StringComparer.Ordinal).Distinct(StringComparer.Ordinal), keys);
                Assert.Empty(staying.Except(keys, StringComparer.Ordinal));
            }
        }
        finally
        {
            await walked.CancelAsync();
            await comingAndGoing;
        }
    }

    private static async Task<List<KeyValuePair<string, SessionRecord>>> WalkAsync(ISessionIndex index, int limit)
    {
        var walked = new List<KeyValuePair<string, SessionRecord>>();
        IReadOnlyList<KeyValuePair<string, SessionRecord>> page;
        do
        {
            page = await index.PageAsync(walked.Count == 0 ? null : walked[^1].Key, limit, Cancel);
            Assert.InRange(page.Count, 0, limit);
            walked.AddRange(page);
        }
        while (page.Count == limit);
        return walked;
    }

    private static void AssertKeys(IEnumerable<string> expected, IEnumerable<KeyValuePair<string, SessionRecord>> found)
        => Assert.Equal(expected.Order(StringComparer.Ordinal), found.Select(pair => pair.Key).Order(StringComparer.Ordinal));
}
