using Sojourn.Storage;

namespace Sojourn.Testing;

// The five verbs, one after the other.
public abstract partial class SessionStoreConformance
{
    /// <summary>The least that a store does.</summary>
    [Fact]
    public async Task What_was_created_is_read_back()
    {
        var record = Record("hello", labels: ["subject:42", "handle:abc"]);
        var (key, stored) = await CreatedAsync(record);
        AssertHolds(record, stored);
        await AssertUnchangedAsync(key, stored);
    }

    /// <summary>An unknown id is an everyday thing, no error.</summary>
    [Fact]
    public async Task A_key_without_a_record_reads_as_nothing() => await AssertGoneAsync(NewKey());

    /// <summary>The engine judges expiries, by one clock; a store that judged as well would judge by another.</summary>
    [Fact]
    public async Task A_record_past_its_expiry_is_read_while_it_is_there()
    {
        var key = NewKey();
        var record = Record("late", expiresIn: -Hours(1));
        Assert.True(await Store.CreateAsync(key, record, Cancel));
        var stored = await Store.ReadAsync(key, Cancel);
        if (stored is not null || !CleansUpByItself) AssertHolds(record, stored);
    }

    /// <summary>Two visitors never share a record, not even by a broken random generator.</summary>
    [Fact]
    public async Task Creating_under_a_key_that_exists_changes_nothing()
    {
        var (key, stored) = await CreatedAsync(Record("first", labels: "subject:1"));
        Assert.False(await Store.CreateAsync(key, Record("second", Hours(5), "subject:2"), Cancel));
        await AssertUnchangedAsync(key, stored);
    }

    /// <summary>What the engine renews it creates again, with the version that it read elsewhere still on it.</summary>
    [Fact]
    public async Task The_version_of_a_record_that_is_created_does_not_count()
    {
        var (_, other) = await CreatedAsync(Record("other"));
        var key = NewKey();
        var record = Record("mine").WithVersion(other.Version);
        Assert.True(await Store.CreateAsync(key, record, Cancel));
        var stored = await ReadAsync(key);
        AssertHolds(record, stored);
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, stored, Record("next"), Cancel)).Outcome);
    }

    /// <summary>A deleted key leaves nothing behind that stands in the way.</summary>
    [Fact]
    public async Task A_key_that_was_deleted_can_be_created_again()
    {
        var (key, _) = await CreatedAsync(Record("before", labels: "subject:1"));
        await Store.DeleteAsync(key, null, Cancel);
        var record = Record("after", labels: "subject:2");
        Assert.True(await Store.CreateAsync(key, record, Cancel));
        AssertHolds(record, await ReadAsync(key));
    }

    /// <summary>Or a writer that slept through a delete and a create would write into somebody else's record.</summary>
    [Fact]
    public async Task A_version_is_never_given_to_the_same_key_again()
    {
        Assert.SkipWhen(VersionsAreContent, "Versions are declared to be the stored content.");
        var key = NewKey();
        var record = Record("the same each time");
        var earlier = new List<SessionRecord>();
        for (var life = 0; life < 5; life++)
        {
            Assert.True(await Store.CreateAsync(key, record, Cancel));
            for (var write = 0; write < 3; write++)
            {
                var current = await ReadAsync(key);
                Assert.DoesNotContain(earlier, old => old.Version == current.Version);
                foreach (var old in earlier) Assert.Equal(WriteOutcome.Conflict, (await Store.ReplaceAsync(key, old, record, Cancel)).Outcome);
                earlier.Add(current);
                Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, current, record, Cancel)).Outcome);
            }
            await Store.DeleteAsync(key, null, Cancel);
        }
    }

    /// <summary>A record is replaced as a whole, and the answer tells the truth about it.</summary>
    [Fact]
    public async Task Replacing_stores_document_expiry_and_labels()
    {
        var (key, current) = await CreatedAsync(Record("before", labels: ["subject:1", "handle:a"]));
        var next = Record("after", Hours(3), "subject:2", "handle:a");
        var answer = await Store.ReplaceAsync(key, current, next, Cancel);
        AssertHolds(next, await ReadAsync(key));
        await AssertAnswerAsync(WriteOutcome.Done, answer, key);
    }

    /// <summary>Labels go as they come.</summary>
    [Fact]
    public async Task Replacing_adds_the_first_label_and_removes_the_last()
    {
        var (key, bare) = await CreatedAsync(Record("signed out"));
        await Store.ReplaceAsync(key, bare, Record("signed in", labels: "subject:1"), Cancel);
        var labelled = await ReadAsync(key);
        if (HasLabels) AssertSameLabels(["subject:1"], labelled.Labels);
        await Store.ReplaceAsync(key, labelled, Record("signed out again"), Cancel);
        Assert.Empty((await ReadAsync(key)).Labels);
    }

    /// <summary>The compare-and-swap on which everything rests.</summary>
    [Fact]
    public async Task Replacing_another_version_is_a_conflict_and_changes_nothing()
    {
        var (key, stale) = await CreatedAsync(Record("first"));
        await Store.ReplaceAsync(key, stale, Record("second", Hours(2), "subject:2"), Cancel);
        var stored = await ReadAsync(key);
        var answer = await Store.ReplaceAsync(key, stale, Record("third", Hours(3), "subject:3"), Cancel);
        await AssertUnchangedAsync(key, stored);
        await AssertAnswerAsync(WriteOutcome.Conflict, answer, key);
    }

    /// <summary>A record that is written just as it was has been written all the same: its reader of before has to read again.</summary>
    [Fact]
    public async Task Replacing_a_record_with_itself_gives_it_a_new_version()
    {
        Assert.SkipWhen(VersionsAreContent, "Versions are declared to be the stored content.");
        var (key, current) = await CreatedAsync(Record("same"));
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, current, current, Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Conflict, (await Store.ReplaceAsync(key, current, current, Cancel)).Outcome);
    }

    /// <summary>The engine goes on with a record that a write hands back and does not read again.</summary>
    [Fact]
    public async Task What_a_write_hands_back_serves_for_the_next_write()
    {
        var (key, stale) = await CreatedAsync(Record("0"));
        var current = (await Store.ReplaceAsync(key, stale, Record("1"), Cancel)).Record ?? await ReadAsync(key);
        current = (await Store.TouchAsync(key, current, Now + Hours(2), Cancel)).Record ?? await ReadAsync(key);
        current = (await Store.ReplaceAsync(key, current, Record("2"), Cancel)).Record ?? await ReadAsync(key);
        current = (await Store.ReplaceAsync(key, stale, Record("never"), Cancel)).Record ?? current;
        current = (await Store.TouchAsync(key, stale, Now, Cancel)).Record ?? current;
        current = (await Store.DeleteAsync(key, stale, Cancel)).Record ?? current;
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, current, Record("3"), Cancel)).Outcome);
        AssertSameDocument(Record("3").Document, (await ReadAsync(key)).Document);
    }

    /// <summary>Gone is gone: a session that was ended is not written back to life.</summary>
    [Fact]
    public async Task Replacing_what_is_gone_never_makes_it_again()
    {
        var (key, current) = await CreatedAsync(Record("first", labels: "subject:1"));
        await Store.DeleteAsync(key, null, Cancel);
        var answer = await Store.ReplaceAsync(key, current, Record("second", labels: "subject:1"), Cancel);
        await AssertAnswerAsync(WriteOutcome.Gone, answer, key);
        await AssertGoneAsync(key);
        Assert.Equal(WriteOutcome.Gone, (await Store.ReplaceAsync(NewKey(), current, Record("third"), Cancel)).Outcome);
    }

    /// <summary>A touch changes the expiry, to later or sooner, and leaves version, document and labels.</summary>
    [Theory]
    [InlineData(+8)]
    [InlineData(-1)]
    public async Task Touching_moves_the_expiry_and_nothing_else(int hours)
    {
        var (key, current) = await CreatedAsync(Record("kept", Hours(2), "subject:1", "handle:a"));
        var expiresAt = current.ExpiresAt + Hours(hours);
        var answer = await Store.TouchAsync(key, current, expiresAt, Cancel);
        await AssertUnchangedAsync(key, current.WithExpiry(expiresAt));
        await AssertAnswerAsync(WriteOutcome.Done, answer, key);
    }

    /// <summary>Requests that only read never get in the way of one that writes.</summary>
    [Fact]
    public async Task A_touch_makes_no_conflict_for_a_writer()
    {
        var (key, current) = await CreatedAsync(Record("before"));
        await Store.TouchAsync(key, current, Now + Hours(5), Cancel);
        await Store.TouchAsync(key, current, Now + Hours(6), Cancel);
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, current, Record("after"), Cancel)).Outcome);
    }

    /// <summary>A touch must not undo a deadline that a writer has shortened.</summary>
    [Fact]
    public async Task Touching_another_version_is_a_conflict_and_changes_nothing()
    {
        var (key, stale) = await CreatedAsync(Record("before"));
        await Store.ReplaceAsync(key, stale, Record("after", expiresIn: TimeSpan.FromMinutes(5)), Cancel);
        var stored = await ReadAsync(key);
        var answer = await Store.TouchAsync(key, stale, Now + Hours(9), Cancel);
        await AssertUnchangedAsync(key, stored);
        await AssertAnswerAsync(WriteOutcome.Conflict, answer, key);
    }

    /// <summary>Gone is gone for a touch as well.</summary>
    [Fact]
    public async Task Touching_what_is_gone_never_makes_it_again()
    {
        var (key, current) = await CreatedAsync(Record("first"));
        await Store.DeleteAsync(key, null, Cancel);
        var answer = await Store.TouchAsync(key, current, Now + Hours(5), Cancel);
        await AssertAnswerAsync(WriteOutcome.Gone, answer, key);
        await AssertGoneAsync(key);
    }

    /// <summary>To end a session, whatever its state.</summary>
    [Fact]
    public async Task Deleting_without_a_condition_deletes_whatever_is_there()
    {
        var (key, current) = await CreatedAsync(Record("first"));
        await Store.ReplaceAsync(key, current, Record("second"), Cancel);
        Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, null, Cancel)).Outcome);
        await AssertGoneAsync(key);
    }

    /// <summary>A touch between does not count as a change.</summary>
    [Fact]
    public async Task Deleting_an_unchanged_record_deletes_it()
    {
        var (key, current) = await CreatedAsync(Record("first"));
        await Store.TouchAsync(key, current, Now + Hours(5), Cancel);
        Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, current, Cancel)).Outcome);
        await AssertGoneAsync(key);
    }

    /// <summary>Renewing an id must not drop what another request has just written.</summary>
    [Fact]
    public async Task Deleting_another_version_is_a_conflict_and_changes_nothing()
    {
        var (key, stale) = await CreatedAsync(Record("first"));
        await Store.ReplaceAsync(key, stale, Record("second", labels: "subject:2"), Cancel);
        var stored = await ReadAsync(key);
        var answer = await Store.DeleteAsync(key, stale, Cancel);
        await AssertUnchangedAsync(key, stored);
        await AssertAnswerAsync(WriteOutcome.Conflict, answer, key);
    }

    /// <summary>Of two that end a session, one learns that it was the other.</summary>
    [Fact]
    public async Task Deleting_what_is_gone_says_so()
    {
        var (key, current) = await CreatedAsync(Record("first"));
        await Store.DeleteAsync(key, current, Cancel);
        await AssertAnswerAsync(WriteOutcome.Gone, await Store.DeleteAsync(key, current, Cancel), key);
        await AssertAnswerAsync(WriteOutcome.Gone, await Store.DeleteAsync(key, null, Cancel), key);
    }

    /// <summary>
    /// What one instance writes, another sees, at once or when it has caught up, and in the same versions: any process may serve the next request.
    /// </summary>
    [Fact]
    public async Task Two_instances_on_the_same_data_are_one_store()
    {
        Assert.SkipWhen(_stores.Count == 1, "The store is declared to have no second instance.");
        var second = _stores[1];
        var (key, current) = await CreatedAsync(Record("first"));
        Assert.Equal(current.Version, (await second.ReadAsync(key, Cancel))?.Version);
        Assert.False(await second.CreateAsync(key, Record("never"), Cancel));
        Assert.Equal(WriteOutcome.Done, (await second.ReplaceAsync(key, current, Record("second"), Cancel)).Outcome);
        await CatchUpAsync();
        AssertSameDocument(Record("second").Document, (await ReadAsync(key)).Document);
        Assert.Equal(WriteOutcome.Conflict, (await Store.ReplaceAsync(key, current, Record("never"), Cancel)).Outcome);
        AssertSameDocument(Record("second").Document, (await ReadAsync(key)).Document);
        Assert.Equal(WriteOutcome.Done, (await second.DeleteAsync(key, null, Cancel)).Outcome);
        await CatchUpAsync();
        await AssertGoneAsync(key);
    }

    /// <summary>The outcome of a call that was cancelled beforehand may be unknown, but it is whole, and the store is none the worse for it.</summary>
    [Fact]
    public async Task A_cancelled_call_is_done_or_not_done_and_the_store_goes_on()
    {
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        var cancelled = source.Token;

        var created = NewKey();
        var first = Record("first", labels: "subject:1");
        await CompletesAsync(() => Store.CreateAsync(created, first, cancelled).AsTask());
        if (await Store.ReadAsync(created, Cancel) is { } there) AssertHolds(first, there);

        var (key, current) = await CreatedAsync(first);
        await CompletesAsync(() => Store.ReadAsync(key, cancelled).AsTask());
        var second = Record("second", Hours(2), "subject:2");
        var replaced = await CompletesAsync(() => Store.ReplaceAsync(key, current, second, cancelled).AsTask());
        current = await ReadAsync(key);
        AssertHolds(replaced || EqualAsJson(second.Document, current.Document) ? second : first, current);

        var touched = await CompletesAsync(() => Store.TouchAsync(key, current, current.ExpiresAt + Hours(1), cancelled).AsTask());
        var afterTouch = await ReadAsync(key);
        if (touched) AssertSameExpiry(current.ExpiresAt + Hours(1), afterTouch.ExpiresAt);
        Assert.Equal(current.Version, afterTouch.Version);

        var deleted = await CompletesAsync(() => Store.DeleteAsync(key, null, cancelled).AsTask());
        if (deleted) await AssertGoneAsync(key);

        var (next, stored) = await CreatedAsync(Record("the store goes on"));
        Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(next, stored, Record("and on"), Cancel)).Outcome);
        Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(next, null, Cancel)).Outcome);
    }

    /// <summary>Whether a cancelled call completed all the same; anything but a cancellation is a failure.</summary>
    private static async Task<bool> CompletesAsync(Func<Task> call)
    {
        try
        {
            await call();
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
