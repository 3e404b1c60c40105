using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>A busy session in memory is not searched for: whoever has its record sees by that whether it is still what is stored.</summary>
public sealed class HeldRecordTests
{
    private readonly FakeTimeProvider _clock = Engine.NewClock();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_session_that_comes_again_is_found_with_what_was_written_last()
    {
        var engine = new Engine(NewStore(), _clock);
        var session = await NewBusyAsync(engine);
        for (var i = 1; i <= 10; i++)
        {
            var found = Find(engine, session)!;
            Assert.Equal(i - 1, found.Get<int>("count"));
            found.Set("count", i);
            await found.SaveAsync(Token);
        }
    }

    /// <summary>Whatever is done to the store, what is found is what a read gives, to the object.</summary>
    [Fact]
    public async Task What_is_found_is_what_is_stored() =>
        await Gen.Int[0, 6].Array[1, 30].SampleAsync(async steps =>
        {
            var clock = Engine.NewClock();
            var store = new MemorySessionStore(timeProvider: clock);
            var engine = new Engine(store, clock);
            var session = await NewBusyAsync(engine);
            var other = await NewBusyAsync(engine);
            var known = new KnownSession { Key = session.Key };
            foreach (var step in steps)
            {
                var (key, now) = (session.Key, clock.GetUtcNow());
                if (await store.ReadAsync(key, Token) is not { } stored)
                {
                    break;
                }

                switch (step)
                {
                    case 0: await store.ReplaceAsync(key, stored, new SessionRecord(stored.Document, now.AddMinutes(20), stored.Labels), Token); break;
                    case 1: await store.TouchAsync(key, stored, now.AddMinutes(30), Token); break;
                    case 2: await store.TouchAsync(key, stored.WithVersion(SessionVersion.NewRandom()), now.AddMinutes(90), Token); break;
                    case 3: clock.Advance(TimeSpan.FromMinutes(3)); break;
                    case 4: await (await engine.LoadAsync(session.Id)).SaveAsync(Token); break;
                    case 5: await store.PruneAsync(clock.GetUtcNow(), Token); break;
                    default: await store.DeleteAsync(other.Key, null, Token); break;
                }

                // Read, as any request would, so that it may be remembered anew.
                _ = await engine.Sessions.LoadAsync(session.Id, Token);
                foreach (var found in new[] { Find(engine, session, known), Find(engine, session), Find(engine, session, known) })
                {
                    Assert.True(found is null || ReferenceEquals(found.Record, await store.ReadAsync(key, Token)));
                    Assert.True(found is null || found.Record!.ExpiresAt > clock.GetUtcNow());
                }
            }
        }, iter: 200);

    [Theory]
    [InlineData("destroyed")]
    [InlineData("deleted")]
    [InlineData("deleted by label")]
    [InlineData("ended with its user's others")]
    [InlineData("expired")]
    [InlineData("pruned")]
    [InlineData("renewed")]
    public async Task A_session_that_ended_is_not_found(string how)
    {
        var store = NewStore();
        var engine = new Engine(store, _clock);
        var session = await NewBusyAsync(engine);
        var (id, key) = (session.Id, session.Key);
        var known = new KnownSession { Key = key };
        Assert.NotNull(Find(engine, session, known));
        switch (how)
        {
            case "destroyed": await session.DestroyAsync(Token); break;
            case "deleted": await store.DeleteAsync(key, null, Token); break;
            case "deleted by label": await store.DeleteByLabelAsync("subject:ada", Token); break;
            case "ended with its user's others": await engine.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token); break;
            case "renewed": await session.RenewIdAsync(Token); break;
            default:
                _clock.Advance(TimeSpan.FromMinutes(20));
                if (how == "pruned") await store.PruneAsync(_clock.GetUtcNow(), Token);
                break;
        }

        Assert.Null(engine.Sessions.FindHeld(id, known, new Visit(_clock), _clock.GetUtcNow()));
        Assert.Null(engine.Sessions.FindHeld(id, new() { Key = key }, new Visit(_clock), _clock.GetUtcNow()));

        // Nor is what was in it kept in memory, once this engine knows of the end.
        Assert.Null(await engine.Sessions.LoadAsync(id, Token));
        Assert.Null(((ISessionOperations)engine.Sessions).Documents.Find(key));
        Assert.Null(known.Document);
    }

    /// <summary>Nobody finds what was stored before a write that was acknowledged before they looked.</summary>
    [Fact]
    public async Task Nothing_older_than_an_acknowledged_write_is_found()
    {
        var store = NewStore();
        var engine = new Engine(store, _clock);
        var session = await NewBusyAsync(engine);
        var (acknowledged, isOver, found) = (0, false, 0);
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(
            async () =>
            {
                var known = new KnownSession { Key = session.Key };
                while (!Volatile.Read(ref isOver))
                {
                    var least = Volatile.Read(ref acknowledged);
                    if (Find(engine, session, known) is { } read)
                    {
                        Assert.True(read.Get<int>("count") >= least);
                        Interlocked.Increment(ref found);
                    }
                    else
                    {
                        await engine.LoadAsync(session.Id);
                    }
                }
            },
            Token)).ToArray();

        // Writes of an engine of its own are not remembered by that of the readers.
        var writing = new Engine(store, _clock);
        for (var i = 1; i <= 20_000; i++)
        {
            var writer = await writing.LoadAsync(session.Id);
            writer.Set("count", i);
            await writer.SaveAsync(Token);
            Volatile.Write(ref acknowledged, i);
        }

        Volatile.Write(ref isOver, true);
        await Task.WhenAll(readers);
        Assert.True(found > 0);
    }

    /// <summary>A touch leaves the bytes, and so what was made of them.</summary>
    [Fact]
    public async Task A_session_that_was_touched_is_found_with_the_document_that_it_had()
    {
        var store = NewStore();
        var engine = new Engine(store, _clock);
        var busy = await NewBusyAsync(engine);
        var known = new KnownSession { Key = busy.Key };
        var session = Find(engine, busy, known)!;
        var document = known.Document;
        _clock.Advance(TimeSpan.FromMinutes(2));
        session.Touch();
        await engine.Sessions.CommitAsync(session, Token);
        var found = Find(engine, busy, known);
        Assert.Same(await store.ReadAsync(busy.Key, Token), found!.Record);
        Assert.Equal(_clock.GetUtcNow().AddMinutes(20), found.ExpiresAt);
        Assert.Same(document, known.Document);
    }

    /// <summary>Those that write at once, and those that meet a conflict and wait for their turn.</summary>
    [Fact]
    public async Task Of_parallel_writes_none_is_lost()
    {
        const int Writers = 4, Writes = 2_000;
        var engine = new Engine(NewStore(), _clock);
        var busy = await NewBusyAsync(engine);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(
            async () =>
            {
                for (var i = 1; i <= Writes; i++)
                {
                    var session = Find(engine, busy) ?? await engine.LoadAsync(busy.Id);
                    session.Set($"own{writer}", i);
                    session.Update<int>("count", static count => count + 1);
                    await session.SaveAsync(Token);
                }
            },
            Token)));
        var found = await engine.LoadAsync(busy.Id);
        Assert.Equal(Writers * Writes, found.Get<int>("count"));
        Assert.All(Enumerable.Range(0, Writers), writer => Assert.Equal(Writes, found.Get<int>($"own{writer}")));
    }

    /// <summary>Tasks of one request, too: each saves all that was set by then.</summary>
    [Fact]
    public async Task Tasks_of_one_request_that_save_at_once_lose_nothing()
    {
        var engine = new Engine(NewStore(), _clock);
        var busy = await NewBusyAsync(engine);
        for (var round = 0; round < 200; round++)
        {
            var session = Find(engine, busy)!;
            await Task.WhenAll(Enumerable.Range(0, 4).Select(task => Task.Run(
                async () =>
                {
                    session.Set($"own{task}", round);
                    await session.SaveAsync(Token);
                },
                Token)));
            var found = await engine.LoadAsync(busy.Id);
            Assert.All(Enumerable.Range(0, 4), task => Assert.Equal(round, found.Get<int>($"own{task}")));
        }
    }

    /// <summary>A renewal works in several steps, and a save must not come between: what is signed in is never stored under the old id.</summary>
    [Fact]
    public async Task A_save_beside_a_new_id_of_the_same_request_is_stored_under_that()
    {
        var store = NewStore();
        var engine = new Engine(store, _clock);
        var busy = await NewBusyAsync(engine);
        for (var round = 0; round < 1_000; round++)
        {
            var session = Find(engine, busy) ?? await engine.LoadAsync(busy.Id);
            var (isSignIn, oldKey) = (round % 2 == 0, session.Key);
            await Task.WhenAll(
                Task.Run(async () => await (isSignIn ? session.SignInAsync("ada", cancellationToken: Token) : session.RenewIdAsync(Token)), Token),
                Task.Run(
                    async () =>
                    {
                        session.Set("own", round);
                        await session.SaveAsync(Token);
                    },
                    Token));
            Assert.Null(await store.ReadAsync(oldKey, Token));
            busy = await engine.LoadAsync(session.Id);
            Assert.Equal((round, "ada"), (busy.Get<int>("own"), busy.Subject));
        }
    }

    /// <summary>Two applications in one process may have the same secret and the same ids, and sessions of their own.</summary>
    [Fact]
    public async Task What_one_store_holds_nobody_finds_in_another()
    {
        var (store, another) = (NewStore(), NewStore());
        var engine = new Engine(store, _clock);
        var session = await NewBusyAsync(engine);
        var record = (await store.ReadAsync(session.Key, Token))!;
        Assert.Null(Find(new Engine(another, _clock), session));
        await another.CreateAsync(session.Key, record, Token);
        await store.DeleteAsync(session.Key, null, Token);
        Assert.Null(Find(engine, session));
    }

    [Fact]
    public async Task A_store_that_stands_before_the_memory_is_always_asked()
    {
        var engine = new Engine(new BareStore(NewStore()), _clock);
        Assert.Null(Find(engine, await NewBusyAsync(engine)));
    }

    internal static Session? Find(Engine engine, Session session, KnownSession? known = null) =>
        engine.Sessions.FindHeld(session.Id, known ?? new() { Key = session.Key }, new Visit(Engine.NewClock()), engine.Sessions.Time.GetUtcNow());

    private static Task<Session> NewBusyAsync(Engine engine) => engine.NewBusyAsync("ada");

    private MemorySessionStore NewStore() => new(timeProvider: _clock);
}
