using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests;

/// <summary>Tasks of one request that do different things to its session at once.</summary>
public sealed class ParallelTaskTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_save_beside_a_renewal_in_one_request_goes_on_under_the_new_id()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var session = await engine.LoadAsync(await StoredAsync(engine));
        var held = store.On(StoreVerb.Create).Hold();
        var renewing = session.RenewIdAsync(Token).AsTask();
        await held.Arrived;
        session.Set("late", 1);
        var saving = session.SaveAsync(Token).AsTask();
        held.Release();
        await renewing;
        await saving;
        Assert.True((await engine.LoadAsync(session.Id)).Contains("late"));
    }

    [Fact]
    public async Task What_is_destroyed_beside_a_renewal_in_one_request_is_gone()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var session = await engine.LoadAsync(await StoredAsync(engine));
        var held = store.On(StoreVerb.Create).Hold();
        var renewing = session.RenewIdAsync(Token).AsTask();
        await held.Arrived;
        var destroying = session.DestroyAsync(Token).AsTask();
        held.Release();
        await renewing;
        await destroying;
        Assert.Equal(0, await _memory.CountAsync(Token));
    }

    [Fact]
    public async Task A_new_session_that_is_saved_beside_a_new_id_is_found_by_its_id()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var session = engine.Sessions.Create();
        session.Set("n", 1);
        var held = store.On(StoreVerb.Create).Hold();
        var saving = session.SaveAsync(Token).AsTask();
        await held.Arrived;
        var signingIn = session.SignInAsync("ada", null, Token).AsTask();
        held.Release();
        await Task.WhenAll(saving, signingIn);
        Assert.Equal("ada", (await engine.LoadAsync(session.Id)).Subject);
        Assert.Equal(1, await _memory.CountAsync(Token));
    }

    [Fact]
    public async Task What_is_set_after_a_reload_beside_a_save_is_stored()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var session = await engine.LoadAsync(await StoredAsync(engine));
        session.Set("first", 1);
        var held = store.On(StoreVerb.Replace).Hold();
        var saving = session.SaveAsync(Token).AsTask();
        await held.Arrived;
        var reloading = session.ReloadAsync(Token).AsTask();
        if (!reloading.IsCompleted) held.Release();
        await reloading;
        session.Set("second", 2);
        held.Release();
        await saving;
        await engine.Sessions.CommitAsync(session, Token);
        Assert.Equal(["seed", "first", "second"], (await engine.LoadAsync(session.Id)).Names);
    }

    [Fact]
    public async Task A_handler_of_an_event_may_save_the_session_of_its_request()
    {
        Session? session = null;
        var engine = new Engine(_memory, _time, handler: new Handler(async sessionEvent =>
        {
            if (sessionEvent.Kind == SessionEventKind.Created)
            {
                session!.Set("noted", true);
                await session.SaveAsync(CancellationToken.None);
            }
        }));
        session = engine.Sessions.Create();
        session.Set("n", 1);
        await engine.Sessions.CommitAsync(session, Token).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Token);
    }

    private static async Task<string> StoredAsync(Engine engine)
    {
        var session = engine.Sessions.Create();
        session.Set("seed", "1");
        await engine.Sessions.CommitAsync(session, Token);
        return session.Id;
    }

    private sealed class Handler(Func<SessionEvent, Task> handle) : ISessionEventHandler
    {
        public async ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken) => await handle(sessionEvent);
    }
}
