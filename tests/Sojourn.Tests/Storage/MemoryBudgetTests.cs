using System.Buffers.Text;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Diagnostics;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;

namespace Sojourn.Tests.Storage;

/// <summary>The heap belongs to the whole process, so nothing else runs while it is weighed.</summary>
[CollectionDefinition(nameof(MemoryBudgetTests), DisableParallelization = true)]
[Collection(nameof(MemoryBudgetTests))]
public sealed class MemoryBudgetTests
{
    /// <summary>1 KiB documents under the engine's keys, without labels: the store adds less than a third of the payload.</summary>
    [Fact]
    public async Task A_session_costs_at_most_1_3_times_its_document()
    {
        const int Sessions = 200_000;
        const int DocumentBytes = 1_024;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var store = new MemorySessionStore();
        var expiresAt = TimeProvider.System.GetUtcNow();
        for (var number = 0; number < Sessions; number++)
        {
            var record = new SessionRecord(new byte[DocumentBytes], expiresAt.AddMilliseconds(number * 6));
            Assert.True(await store.CreateAsync(NewKey(), record, TestContext.Current.CancellationToken));
        }
        var perSession = (GC.GetTotalMemory(forceFullCollection: true) - before) / Sessions;
        TestContext.Current.TestOutputHelper?.WriteLine($"{perSession} bytes a session");
        Assert.InRange(perSession, DocumentBytes, DocumentBytes * 1.3);
        GC.KeepAlive(store);
    }

    /// <summary>Keys of deleted sessions wait for their expiry in the wheel, but never more of them than there are sessions, give or take a few.</summary>
    [Fact]
    public async Task Sessions_that_come_and_go_leave_next_to_nothing_behind()
    {
        const int Sessions = 200_000;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var store = new MemorySessionStore();
        var record = new SessionRecord("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddDays(1), ["subject:1", "handle:a"]);
        for (var number = 0; number < Sessions; number++)
        {
            var key = NewKey();
            await store.CreateAsync(key, record, TestContext.Current.CancellationToken);
            await store.DeleteAsync(key, null, TestContext.Current.CancellationToken);
        }
        Assert.InRange((GC.GetTotalMemory(forceFullCollection: true) - before) / Sessions, long.MinValue, 10);
        GC.KeepAlive(store);
    }

    [Fact]
    public async Task Copies_take_no_more_memory_than_they_are_counted_for()
    {
        const int Count = 10_000;
        var clock = Engine.NewClock();
        await using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        await using var near = new NearCacheStore(
            new MemorySessionStore(), new() { MaxStaleness = TimeSpan.FromSeconds(10), MaxSessions = Count }, clock,
            new SessionMetrics(services.GetRequiredService<IMeterFactory>()));
        var call = near.Copies.Begin("key");
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Count; i++)
        {
            var label = $"subject:{i}";
            near.Copies.HaveRead(NewKey(), new SessionRecord(new byte[256], clock.GetUtcNow(), [label], new SessionVersion(i)), call);
        }

        var taken = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.Equal(Count, near.Copies.Count);
        Assert.InRange(taken, near.Copies.Bytes / 2, near.Copies.Bytes);
    }

    private static string NewKey() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
}
