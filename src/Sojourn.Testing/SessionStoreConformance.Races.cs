using System.Globalization;
using System.Text.Json;
using Sojourn.Storage;

namespace Sojourn.Testing;

// What must hold whoever comes first. Each round lets its contenders loose at the same moment, on threads of their own.
public abstract partial class SessionStoreConformance
{
    /// <summary>Two requests that make the same session: one of them made it.</summary>
    [Fact]
    public async Task Of_parallel_creates_one_wins()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var key = NewKey();
            SessionRecord[] records = [Record("a", Hours(1), "subject:a"), Record("b", Hours(2), "subject:b"), Record("c", Hours(3), "subject:c")];
            var won = await RaceAsync(
                records.Select<SessionRecord, Func<ISessionStore, ValueTask<bool>>>(record => store => store.CreateAsync(key, record, Cancel)));
            var winner = Assert.Single(records.Where((_, number) => won[number]));
            AssertHolds(winner, await ReadAsync(key));
        }
    }

    /// <summary>No lost update: of writers that read the same record, one writes and the others learn of it.</summary>
    [Fact]
    public async Task A38_Of_parallel_replaces_of_the_same_record_one_wins()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("before"));
            SessionRecord[] records = [Record("a", Hours(1), "subject:a"), Record("b", Hours(2), "subject:b"), Record("c", Hours(3), "subject:c")];
            var answers = await RaceAsync(records.Select<SessionRecord, Func<ISessionStore, ValueTask<WriteResult>>>(
                record => store => store.ReplaceAsync(key, current, record, Cancel)));
            var winner = Assert.Single(records.Where((_, number) => answers[number].Outcome == WriteOutcome.Done));
            Assert.Equal(2, answers.Count(answer => answer.Outcome == WriteOutcome.Conflict));
            AssertHolds(winner, await ReadAsync(key));
            foreach (var answer in answers.Where(answer => answer.Record is not null)) await AssertUnchangedAsync(key, answer.Record!);
        }
    }

    /// <summary>The reason for versions: a counter that many increment arrives at the exact sum.</summary>
    [Fact]
    public async Task Parallel_counters_reach_the_exact_total()
    {
        var (key, _) = await CreatedAsync(RecordOf("""{"count":0}"""));
        var increments = 0;
        await RaceThroughRoundsAsync(Enumerable.Repeat<Func<ISessionStore, int, Task>>(
            async (store, _) =>
            {
                var current = await store.ReadAsync(key, Cancel);
                while (true)
                {
                    var count = CountIn(Assert.IsType<SessionRecord>(current)) + 1;
                    var next = RecordOf(string.Create(CultureInfo.InvariantCulture, $$"""{"count":{{count}}}"""));
                    var answer = await store.ReplaceAsync(key, current, next, Cancel);
                    if (answer.Outcome == WriteOutcome.Done) break;
                    Assert.Equal(WriteOutcome.Conflict, answer.Outcome);
                    current = answer.Record ?? await store.ReadAsync(key, Cancel);
                }
                Interlocked.Increment(ref increments);
            },
            4));
        Assert.Equal(increments, CountIn(await ReadAsync(key)));
    }

    /// <summary>Gone is gone, also for who had read it just before.</summary>
    [Fact]
    public async Task A38_V1_V3_A_deleted_record_is_never_revived_by_a_parallel_replace_or_touch()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("before", labels: "subject:1"));
            var answers = await RaceAsync<WriteResult>(
            [
                store => store.DeleteAsync(key, null, Cancel),
                store => store.ReplaceAsync(key, current, Record("after", labels: "subject:1"), Cancel),
                store => store.TouchAsync(key, current, Now + Hours(9), Cancel),
            ]);
            Assert.Equal(WriteOutcome.Done, answers[0].Outcome);
            await AssertGoneAsync(key);
            if (answers[1].Record is { } written) Assert.Equal(WriteOutcome.Gone, (await Store.ReplaceAsync(key, written, Record("never"), Cancel)).Outcome);
            if (HasIndex && HasLabels) Assert.Empty(await Index.FindAsync("subject:1", Cancel));
        }
    }

    /// <summary>Renewing an id deletes only what it has carried over: a write that slips in between is never dropped.</summary>
    [Fact]
    public async Task Of_a_conditional_delete_and_a_replace_one_wins()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("before"));
            var next = Record("after", labels: "subject:1");
            var answers = await RaceAsync<WriteResult>(
            [
                store => store.DeleteAsync(key, current, Cancel),
                store => store.ReplaceAsync(key, current, next, Cancel),
            ]);
            if (answers[0].Outcome == WriteOutcome.Done)
            {
                Assert.Equal(WriteOutcome.Gone, answers[1].Outcome);
                await AssertGoneAsync(key);
            }
            else
            {
                Assert.Equal((WriteOutcome.Conflict, WriteOutcome.Done), (answers[0].Outcome, answers[1].Outcome));
                AssertHolds(next, await ReadAsync(key));
            }
        }
    }

    /// <summary>A writer that slept through the end of a session never writes into the one that took its key.</summary>
    [Fact]
    public async Task A_replace_never_writes_into_a_record_that_was_created_anew()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("before"));
            var anew = Record("anew", labels: "subject:2");
            await RaceAsync<bool>(
            [
                async store => (await store.DeleteAsync(key, null, Cancel)).Outcome == WriteOutcome.Done && await store.CreateAsync(key, anew, Cancel),
                async store => (await store.ReplaceAsync(key, current, Record("never last"), Cancel)).Outcome == WriteOutcome.Done,
            ]);
            AssertHolds(anew, await ReadAsync(key));
        }
    }

    /// <summary>A touch never undoes what a parallel writer stored, least of all a deadline that it shortened.</summary>
    [Fact]
    public async Task A_replace_is_never_undone_by_a_parallel_touch()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("before"));
            var next = Record("after", TimeSpan.FromMinutes(5));
            var answers = await RaceAsync<WriteResult>(
            [
                store => store.ReplaceAsync(key, current, next, Cancel),
                store => store.TouchAsync(key, current, Now + Hours(9), Cancel),
            ]);
            Assert.Equal(WriteOutcome.Done, answers[0].Outcome);
            Assert.NotEqual(WriteOutcome.Gone, answers[1].Outcome);
            AssertHolds(next, await ReadAsync(key));
        }
    }

    /// <summary>Parallel touches are all served: none of them changes the version.</summary>
    [Fact]
    public async Task Parallel_touches_never_conflict()
    {
        for (var round = 0; round < RaceRounds; round++)
        {
            var (key, current) = await CreatedAsync(Record("kept", labels: "subject:1"));
            var expiresAt = Now + Hours(9);
            var answers = await RaceAsync(
                Enumerable.Repeat<Func<ISessionStore, ValueTask<WriteResult>>>(store => store.TouchAsync(key, current, expiresAt, Cancel), 3));
            Assert.All(answers, answer => Assert.Equal(WriteOutcome.Done, answer.Outcome));
            await AssertUnchangedAsync(key, current.WithExpiry(expiresAt));
        }
    }

    /// <summary>A session that is used at its last moment either went on or was gone: who was told that it goes on still has it.</summary>
    [Fact]
    public async Task A_record_that_was_touched_or_replaced_survives_a_parallel_prune()
    {
        var expiring = Expiring;
        for (var round = 0; round < RaceRounds; round++)
        {
            var (touched, first) = await CreatedAsync(Record("touched", -Hours(1)));
            var (replaced, second) = await CreatedAsync(Record("replaced", -Hours(1)));
            var answers = await RaceAsync<WriteResult>(
            [
                async _ =>
                {
                    await expiring.PruneAsync(Now, Cancel);
                    return WriteResult.Done();
                },
                store => store.TouchAsync(touched, first, Now + Hours(1), Cancel),
                store => store.ReplaceAsync(replaced, second, Record("replaced in time"), Cancel),
            ]);
            Assert.Equal(answers[1].Outcome == WriteOutcome.Done, await Store.ReadAsync(touched, Cancel) is not null);
            Assert.Equal(answers[2].Outcome == WriteOutcome.Done, await Store.ReadAsync(replaced, Cancel) is not null);
        }
    }

    /// <summary>Signed out everywhere is signed out everywhere, also for a session that is writing at that moment.</summary>
    [Fact]
    public async Task Deleting_by_label_is_not_dodged_by_a_parallel_replace_or_touch()
    {
        _ = LabelIndex;
        for (var round = 0; round < RaceRounds; round++)
        {
            var (replaced, first) = await CreatedAsync(Record("before", labels: "subject:1"));
            var (touched, second) = await CreatedAsync(Record("before", labels: "subject:1"));
            await RaceAsync<long>(
            [
                store => Capability<ISessionIndex>(store).DeleteByLabelAsync("subject:1", Cancel),
                async store => (long)(await store.ReplaceAsync(replaced, first, Record("after", labels: "subject:1"), Cancel)).Outcome,
                async store => (long)(await store.TouchAsync(touched, second, Now + Hours(9), Cancel)).Outcome,
            ]);
            await AssertGoneAsync(replaced);
            await AssertGoneAsync(touched);
        }
    }

    /// <summary>A label that misses a session for a moment is a hole through which it escapes being ended.</summary>
    [Fact]
    public async Task A_record_is_found_by_a_label_that_it_keeps_while_it_is_replaced()
    {
        _ = LabelIndex;
        var (key, current) = await CreatedAsync(Record("0", labels: ["subject:1", "phase:0"]));
        using var found = new CancellationTokenSource();
        await RaceAsync<bool>(
        [
            async store =>
            {
                // It writes for as long as the other looks, so that every look has a write beside it.
                for (var phase = 1; !found.IsCancellationRequested; phase++)
                {
                    var name = phase.ToString(CultureInfo.InvariantCulture);
                    var answer = await store.ReplaceAsync(key, current, Record(name, labels: ["phase:" + name, "subject:1"]), Cancel);
                    Assert.Equal(WriteOutcome.Done, answer.Outcome);
                    current = answer.Record ?? await ReadAsync(key);
                }
                return true;
            },
            async store =>
            {
                try
                {
                    for (var look = 0; look < 10 * RaceRounds; look++) AssertKeys([key], await Capability<ISessionIndex>(store).FindAsync("subject:1", Cancel));
                }
                finally
                {
                    await found.CancelAsync();
                }
                return true;
            },
        ]);
    }

    /// <summary>A reader sees one state or the other as a whole: document, expiry and labels belong together.</summary>
    [Fact]
    public async Task A_reader_never_sees_a_mixture_of_two_records()
    {
        SessionRecord[] states = [Record("even", Hours(2), "phase:even"), Record("odd, and a good deal longer", Hours(4), "phase:odd", "subject:1")];
        var (key, current) = await CreatedAsync(states[0]);
        await RaceThroughRoundsAsync(
        [
            async (store, round) =>
            {
                var answer = await store.ReplaceAsync(key, current, states[round % 2], Cancel);
                Assert.Equal(WriteOutcome.Done, answer.Outcome);
                current = answer.Record ?? await ReadAsync(key);
            },
            async (store, _) =>
            {
                var read = Assert.IsType<SessionRecord>(await store.ReadAsync(key, Cancel));
                AssertHolds(EqualAsJson(states[0].Document, read.Document) ? states[0] : states[1], read);
            },
        ]);
    }

    private static int CountIn(SessionRecord record)
    {
        using var document = JsonDocument.Parse(record.Document);
        return document.RootElement.GetProperty("count").GetInt32();
    }

    /// <summary>One of the instances on the same data; contenders are spread over them.</summary>
    private ISessionStore Instance(int number) => _stores[number % _stores.Count];

    /// <summary>Runs contenders round after round until each has run its rounds: none is through before another has begun, so they do meet.</summary>
    private async Task RaceThroughRoundsAsync(IEnumerable<Func<ISessionStore, int, Task>> contenders)
    {
        var all = contenders.ToList();
        var unfinished = all.Count;
        await RaceAsync(all.Select<Func<ISessionStore, int, Task>, Func<ISessionStore, ValueTask<bool>>>(contender => async store =>
        {
            try
            {
                for (var round = 1; Volatile.Read(ref unfinished) > 0; round++)
                {
                    await contender(store, round);
                    if (round == RaceRounds) Interlocked.Decrement(ref unfinished);
                }
                return true;
            }
            catch
            {
                // The others need not wait for one that has failed.
                Volatile.Write(ref unfinished, 0);
                throw;
            }
        }));
    }

    /// <summary>
    /// Starts every contender at the same moment, each on a thread of its own: threads of the pool would start one after the other. What they wrote is read by
    /// all afterwards.
    /// </summary>
    private async Task<T[]> RaceAsync<T>(IEnumerable<Func<ISessionStore, ValueTask<T>>> contenders)
    {
        var all = contenders.ToList();
        var missing = all.Count;
        var answers = await Task.WhenAll(all.Select((contender, number) => Task.Factory.StartNew(
            () =>
            {
                Interlocked.Decrement(ref missing);
                for (var spin = default(SpinWait); Volatile.Read(ref missing) > 0;) spin.SpinOnce(sleep1Threshold: -1);
                return contender(Instance(number)).AsTask();
            },
            CancellationToken.None, // One that never started would leave the others waiting.
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default).Unwrap()));
        await CatchUpAsync();
        return answers;
    }
}
