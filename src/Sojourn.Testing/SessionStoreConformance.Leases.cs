using Sojourn.Storage;

namespace Sojourn.Testing;

// Leases: one owner of a key at a time.
public abstract partial class SessionStoreConformance
{
    /// <summary>What a lease is.</summary>
    [Fact]
    public async Task A_lease_has_one_owner_until_it_is_released()
    {
        var (leases, other) = (Leases, OtherLeases);
        var key = NewKey();
        Assert.True(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
        Assert.False(await other.TryAcquireAsync(key, "b", Hours(1), Cancel));
        Assert.True(await other.TryAcquireAsync(NewKey(), "b", Hours(1), Cancel));
        await leases.ReleaseAsync(key, "a", Cancel);
        Assert.True(await other.TryAcquireAsync(key, "b", Hours(1), Cancel));
        Assert.False(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
    }

    /// <summary>A long request keeps its lease.</summary>
    [Fact]
    public async Task The_owner_renews_its_lease()
    {
        var (leases, other) = (Leases, OtherLeases);
        var key = NewKey();
        Assert.True(await leases.TryAcquireAsync(key, "a", TimeSpan.FromMilliseconds(200), Cancel));
        Assert.True(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
        await Task.Delay(TimeSpan.FromMilliseconds(400), TimeProvider.System, Cancel);
        Assert.False(await other.TryAcquireAsync(key, "b", Hours(1), Cancel));
    }

    /// <summary>Late to leave, a former owner does not put the next one out.</summary>
    [Fact]
    public async Task Only_the_owner_releases_a_lease()
    {
        var (leases, other) = (Leases, OtherLeases);
        var key = NewKey();
        await other.ReleaseAsync(key, "b", Cancel);
        Assert.True(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
        await other.ReleaseAsync(key, "b", Cancel);
        Assert.False(await other.TryAcquireAsync(key, "b", Hours(1), Cancel));
    }

    /// <summary>A process that was killed shuts nobody out for good.</summary>
    [Fact]
    public async Task A_lease_that_is_not_renewed_ends()
    {
        var (leases, other) = (Leases, OtherLeases);
        var key = NewKey();
        Assert.True(await leases.TryAcquireAsync(key, "a", TimeSpan.FromMilliseconds(300), Cancel));
        while (!await other.TryAcquireAsync(key, "b", Hours(1), Cancel)) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        Assert.False(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
    }

    /// <summary>A lease is beside the records, not one of them.</summary>
    [Fact]
    public async Task A_lease_leaves_records_alone()
    {
        var leases = Leases;
        var (key, stored) = await CreatedAsync(Record("text"));
        Assert.True(await leases.TryAcquireAsync(key, "a", Hours(1), Cancel));
        await AssertUnchangedAsync(key, stored);
        if (Store.As<ISessionIndex>() is { } index) Assert.Equal(1, await index.CountAsync(Cancel));
        Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, stored, Cancel)).Outcome);
    }

    /// <summary>The reason for leases.</summary>
    [Fact]
    public async Task Of_parallel_takers_of_a_lease_one_wins()
    {
        _ = Leases;
        string[] owners = ["a", "b", "c"];
        for (var round = 0; round < RaceRounds; round++)
        {
            var key = NewKey();
            var won = await RaceAsync(owners.Select<string, Func<ISessionStore, ValueTask<bool>>>(
                owner => store => Capability<ISessionLease>(store).TryAcquireAsync(key, owner, Hours(1), Cancel)));
            Assert.Single(won, taken => taken);
        }
    }
}
