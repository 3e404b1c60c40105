using System.Diagnostics.Metrics;
using System.Text.Json;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>A busy session is not searched for in a near cache: whoever has its copy sees by that whether the cache would still give it.</summary>
public sealed class HeldCopyTests
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_session_that_comes_again_is_found_with_what_was_written_last()
    {
        using var all = await Processes.StartAsync();
        var session = await all.NewBusyAsync();
        var known = new KnownSession { Key = session.Key };
        var count = 0;
        for (var i = 1; i <= 10; i++)
        {
            var found = all.Find(session, known);
            Assert.NotNull(found);
            Assert.Equal(count, found.Get<int>("count"));
            found.Set("count", count = i);
            await found.SaveAsync(Token);

            // What was written has yet to be read, by any request.
            Assert.Null(all.Find(session, known));
            Assert.Equal(i, (await all.Here.LoadAsync(session.Id)).Get<int>("count"));
        }
    }

    [Theory]
    [InlineData("too old")]
    [InlineData("changed elsewhere, which is told")]
    [InlineData("something was not told")]
    [InlineData("ended elsewhere, which is told")]
    [InlineData("destroyed")]
    [InlineData("ended with its user's others")]
    [InlineData("renewed")]
    [InlineData("expired")]
    [InlineData("pushed out")]
    public async Task What_the_cache_would_not_give_is_not_found(string why)
    {
        using var all = await Processes.StartAsync();
        var session = await all.NewBusyAsync();
        var (id, key) = (session.Id, session.Key);
        var known = new KnownSession { Key = key };
        Assert.NotNull(all.Find(session, known));
        switch (why)
        {
            case "too old": all.Clock.Advance(MaxStaleness); break;
            case "something was not told": all.Telling.Tell(SessionNotificationKind.Missed); break;
            case "destroyed": await session.DestroyAsync(Token); break;
            case "ended with its user's others": await all.Here.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token); break;
            case "renewed": await session.RenewIdAsync(Token); break;
            case "expired": all.Clock.Advance(TimeSpan.FromMinutes(20)); break;
            case "pushed out":
                for (var i = 0; i < 40; i++) await all.NewBusyAsync();
                break;
            case "changed elsewhere, which is told":
                await SetAsync(all.There, id, 1);
                all.Telling.Tell(SessionNotificationKind.Changed, key);
                break;
            default:
                await all.Memory.DeleteAsync(key, null, Token);
                all.Telling.Tell(SessionNotificationKind.Ended, key);
                break;
        }

        Assert.Null(all.Here.Sessions.FindHeld(id, known, new Visit(all.Clock), all.Clock.GetUtcNow()));
        Assert.Null(all.Here.Sessions.FindHeld(id, new() { Key = key }, new Visit(all.Clock), all.Clock.GetUtcNow()));
    }

    /// <summary>Whatever is done here and elsewhere, told or not: what is found is what the cache gives, to the object, and says what its bytes say.</summary>
    [Fact]
    public async Task What_is_found_is_what_the_cache_gives()
    {
        var found = 0;
        await Gen.Int[0, 9].Array[1, 30].SampleAsync(async steps =>
        {
            using var all = await Processes.StartAsync();
            var session = await all.NewBusyAsync();
            var key = session.Key;
            var known = new KnownSession { Key = key };
            for (var i = 0; i < steps.Length; i++)
            {
                if (await all.Memory.ReadAsync(key, Token) is not { } stored)
                {
                    break;
                }

                switch (steps[i])
                {
                    case 0: await SetAsync(all.There, session.Id, i); break;
                    case 1: all.Telling.Tell(SessionNotificationKind.Changed, key); break;
                    case 2: all.Telling.Tell(SessionNotificationKind.Changed, key, stored.Version); break;
                    case 3: all.Telling.Tell(SessionNotificationKind.Missed); break;
                    case 4: all.Clock.Advance(MaxStaleness / 3); break;
                    case 5: all.Clock.Advance(TimeSpan.FromMinutes(3)); break;
                    case 6: await SetAsync(all.Here, session.Id, i); break;
                    case 7: await (await all.Here.LoadAsync(session.Id)).SaveAsync(Token); break;
                    case 8: for (var n = 0; n < 10; n++) await all.NewBusyAsync(); break;
                    default: await all.Memory.ReplaceAsync(key, stored, new SessionRecord(stored.Document.ToArray(), stored.ExpiresAt, stored.Labels), Token); break;
                }

                // Read, as any request would, so that it may be remembered anew.
                if (i % 2 == 0) _ = await all.Here.Sessions.LoadAsync(session.Id, Token);
                foreach (var read in new[] { all.Find(session, known), all.Find(session), all.Find(session, known) })
                {
                    if (read is not null)
                    {
                        Assert.Same(all.Near.FindCopy(key)!.Record, read.Record);
                        Assert.True(read.IsCopy);
                        Assert.Equal(CountIn(read.Record!), read.Get<int>("count"));
                        Interlocked.Increment(ref found);
                    }
                }
            }
        }, iter: 300);
        Assert.True(found > 300);
    }

    /// <summary>Of what another process wrote, and was told of, nobody finds what was there before.</summary>
    [Fact]
    public async Task Nothing_older_than_what_was_told_is_found()
    {
        using var all = await Processes.StartAsync();
        var session = await all.NewBusyAsync();
        var (told, isOver, found) = (0, false, 0);
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(
            async () =>
            {
                var known = new KnownSession { Key = session.Key };
                while (!Volatile.Read(ref isOver))
                {
                    var least = Volatile.Read(ref told);
                    if (all.Find(session, known) is { } read)
                    {
                        Assert.True(read.Get<int>("count") >= least);
                        Interlocked.Increment(ref found);
                    }
                    else
                    {
                        await all.Here.LoadAsync(session.Id);
                    }
                }
            },
            Token)).ToArray();
        for (var i = 1; i <= 10_000; i++)
        {
            await SetAsync(all.There, session.Id, i);
            all.Telling.Tell(SessionNotificationKind.Changed, session.Key);
            Volatile.Write(ref told, i);
            if (i % 10 == 0) await Task.Yield();
        }

        Volatile.Write(ref isOver, true);
        await Task.WhenAll(readers);
        Assert.True(found > 0);
    }

    private static int CountIn(SessionRecord record)
    {
        using var document = JsonDocument.Parse(record.Document);
        return document.RootElement.GetProperty("count").GetInt32();
    }

    private static async Task SetAsync(Engine engine, string id, int count)
    {
        var session = await engine.LoadAsync(id);
        session.Set("count", count);
        await session.SaveAsync(Token);
    }

    /// <summary>A process with a near cache, and another one on the same store.</summary>
    private sealed class Processes : IDisposable
    {
        private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

        private Processes()
        {
            Memory = new MemorySessionStore(timeProvider: Clock);
            Telling = new TellingStore(Memory);
            var options = new NearCacheOptions { MaxStaleness = MaxStaleness, MaxSessions = 32 };
            Near = new NearCacheStore(Telling, options, Clock, new SessionMetrics(_services.GetRequiredService<IMeterFactory>()));
            (Here, There) = (new Engine(Near, Clock), new Engine(Memory, Clock));
        }

        public FakeTimeProvider Clock { get; } = Engine.NewClock();

        public MemorySessionStore Memory { get; }

        public TellingStore Telling { get; }

        public NearCacheStore Near { get; }

        public Engine Here { get; }

        public Engine There { get; }

        public static async Task<Processes> StartAsync()
        {
            var processes = new Processes();
            await processes.Near.SubscribeAsync(static _ => { }, Token);
            return processes;
        }

        public Session? Find(Session session, KnownSession? known = null) =>
            Here.Sessions.FindHeld(session.Id, known ?? new() { Key = session.Key }, new Visit(Clock), Clock.GetUtcNow());

        public Task<Session> NewBusyAsync() => Here.NewBusyAsync("ada");

        public void Dispose() => _services.Dispose();
    }
}
