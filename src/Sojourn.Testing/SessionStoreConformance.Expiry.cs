using System.Globalization;
using Sojourn.Storage;

namespace Sojourn.Testing;

// Cleaning up, for stores whose database does not do it by itself.
public abstract partial class SessionStoreConformance
{
    /// <summary>What pruning is for; the number is what an operator sees.</summary>
    [Fact]
    public async Task Pruning_deletes_what_has_expired_and_nothing_else()
    {
        var expiring = Expiring;
        var (longAgo, _) = await CreatedAsync(Record("long ago", -Hours(24 * 400), "subject:1"));
        var (justNow, expired) = await CreatedAsync(Record("just now", -TimeSpan.FromSeconds(5)));
        var (soon, _) = await CreatedAsync(Record("soon", TimeSpan.FromMinutes(1)));
        var (farOff, _) = await CreatedAsync(Record("far off", Hours(24 * 400)));
        Assert.Equal(2, await expiring.PruneAsync(Now, Cancel));
        await AssertGoneAsync(longAgo);
        await AssertGoneAsync(justNow);
        await ReadAsync(soon);
        await ReadAsync(farOff);
        Assert.Equal(WriteOutcome.Gone, (await Store.ReplaceAsync(justNow, expired, Record("never"), Cancel)).Outcome);
        Assert.Equal(0, await expiring.PruneAsync(Now, Cancel));
    }

    /// <summary>The caller's clock counts, not the database's.</summary>
    [Fact]
    public async Task Pruning_judges_by_the_time_it_is_given()
    {
        var expiring = Expiring;
        var (key, _) = await CreatedAsync(Record("tomorrow", Hours(24)));
        Assert.Equal(0, await expiring.PruneAsync(Now + Hours(23), Cancel));
        Assert.Equal(1, await expiring.PruneAsync(Now + Hours(25), Cancel));
        await AssertGoneAsync(key);
    }

    /// <summary>A session that is used lives on, wherever the store had filed it before.</summary>
    [Fact]
    public async Task A_record_that_was_touched_or_replaced_in_time_stays()
    {
        var expiring = Expiring;
        var (touched, first) = await CreatedAsync(Record("touched", Hours(1)));
        var (replaced, second) = await CreatedAsync(Record("replaced", Hours(1)));
        await Store.TouchAsync(touched, first, Now + Hours(3), Cancel);
        await Store.ReplaceAsync(replaced, second, Record("replaced again", Hours(3)), Cancel);
        Assert.Equal(0, await expiring.PruneAsync(Now + Hours(2), Cancel));
        Assert.Equal(2, await expiring.PruneAsync(Now + Hours(4), Cancel));
    }

    /// <summary>A deadline that is brought forward is kept as well as one that is put off.</summary>
    [Fact]
    public async Task A_record_whose_expiry_was_brought_forward_is_pruned_then()
    {
        var expiring = Expiring;
        var (touched, first) = await CreatedAsync(Record("touched", TimeSpan.FromMinutes(30)));
        var (replaced, second) = await CreatedAsync(Record("replaced", TimeSpan.FromMinutes(30)));
        await Store.TouchAsync(touched, first, Now + TimeSpan.FromMinutes(5), Cancel);
        await Store.ReplaceAsync(replaced, second, Record("replaced again", TimeSpan.FromMinutes(5)), Cancel);
        Assert.Equal(2, await expiring.PruneAsync(Now + TimeSpan.FromMinutes(10), Cancel));
    }

    /// <summary>More than any one batch takes.</summary>
    [Fact]
    public async Task Pruning_deletes_all_that_has_expired_however_many()
    {
        var expiring = Expiring;
        for (var number = 0; number < 2_500; number++)
        {
            var name = number.ToString(CultureInfo.InvariantCulture);
            Assert.True(await Store.CreateAsync("expired-" + name, Record(name, -TimeSpan.FromSeconds(5 + (number % 600)), "subject:1"), Cancel));
        }
        var (kept, _) = await CreatedAsync(Record("kept", labels: "subject:1"));
        Assert.Equal(2_500, await expiring.PruneAsync(Now, Cancel));
        if (HasIndex) Assert.Equal(kept, Assert.Single(await Index.PageAsync(null, 1_000, Cancel)).Key);
        if (HasIndex && HasLabels) Assert.Equal(kept, Assert.Single(await Index.FindAsync("subject:1", Cancel)).Key);
    }

    /// <summary>What was deleted before the cancellation stays deleted, the rest is there for the next time.</summary>
    [Fact]
    public async Task A_cancelled_prune_leaves_the_rest_to_the_next()
    {
        var expiring = Expiring;
        var expired = new List<string>();
        for (var number = 0; number < 500; number++) expired.Add((await CreatedAsync(Record("expired", -Hours(1)))).Key);
        var (kept, _) = await CreatedAsync(Record("kept"));
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        await CompletesAsync(() => expiring.PruneAsync(Now, source.Token).AsTask());
        await expiring.PruneAsync(Now, Cancel);
        foreach (var key in expired) await AssertGoneAsync(key);
        await ReadAsync(kept);
    }
}
