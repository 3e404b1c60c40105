using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests;

/// <summary>Of a sign-in that did not come about nothing is left: not under the old id, which somebody else may know, and not in the user's list.</summary>
public sealed class SignInFailureTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sign_in_that_was_cancelled_signs_nobody_in_under_the_old_id()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var id = await StoredAsync(engine);
        var visitor = await engine.LoadAsync(id);
        await CancelWhileItWaitsAsync(engine, store, id, token => visitor.SignInAsync("ada", null, token));

        await CommitAnywayAsync(engine, visitor);

        Assert.Null((await engine.Sessions.LoadAsync(id, Token))?.Subject);
    }

    [Fact]
    public async Task A_sign_in_that_would_not_fit_signs_nobody_in_under_the_old_id()
    {
        var engine = new Engine(_memory, _time, o => o.MaxDocumentBytes = 1024);
        var id = await StoredAsync(engine);
        var visitor = await engine.LoadAsync(id);
        visitor.Set("big", new string('x', 1000));
        await Assert.ThrowsAsync<SessionTooLargeException>(async () => await visitor.SignInAsync("ada", null, Token));
        visitor.Remove("big");
        await CommitAnywayAsync(engine, visitor);

        Assert.Null((await engine.Sessions.LoadAsync(id, Token))?.Subject);
    }

    [Fact]
    public async Task An_impersonation_that_was_cancelled_does_not_happen()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var id = (await engine.SignInAsync("admin")).Id;
        var visitor = await engine.LoadAsync(id);
        await CancelWhileItWaitsAsync(engine, store, id, token => visitor.ImpersonateAsync("ada", token));
        await CommitAnywayAsync(engine, visitor);

        Assert.Equal("admin", (await engine.Sessions.LoadAsync(id, Token))?.Subject);
    }

    [Fact]
    public async Task A_sign_in_that_failed_does_not_keep_the_user_from_signing_in()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time, o => (o.MaxSessionsPerSubject, o.WhenTooManySessions) = (1, SessionLimitPolicy.Reject));
        var session = await engine.LoadAsync(await StoredAsync(engine));
        store.On(StoreVerb.Create).LoseAnswer(times: 1);
        await Assert.ThrowsAsync<SessionStoreException>(async () => await session.SignInAsync("ada", null, Token));
        _time.Advance(TimeSpan.FromMinutes(2));
        await engine.SignInAsync("ada");
        Assert.Single(await engine.Administration.ListAsync("ada", cancellationToken: Token));
    }

    /// <summary>A record whose id nobody was told is of no use to anybody, and would be in its user's list for as long as it lives.</summary>
    [Theory]
    [InlineData(StoreVerb.Delete)]
    [InlineData(StoreVerb.Create)]
    public async Task A_sign_in_that_failed_is_in_no_list(StoreVerb verb)
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, _time);
        var id = await StoredAsync(engine);
        var session = await engine.LoadAsync(id);
        store.On(verb).Fail(times: 1);
        await Assert.ThrowsAsync<SessionStoreException>(async () => await session.SignInAsync("ada", null, Token));
        Assert.Empty(await engine.Administration.ListAsync("ada", cancellationToken: Token));
        Assert.Equal(1, await _memory.CountAsync(Token));
        var visitor = await engine.LoadAsync(id);
        Assert.Null(visitor.Subject);
        await visitor.SignInAsync("ada", null, Token);
        Assert.Single(await engine.Administration.ListAsync("ada", cancellationToken: Token));
    }

    /// <summary>A handler with a limit of its own on how long it waits, while another request of the session is being saved.</summary>
    private static async Task CancelWhileItWaitsAsync(Engine engine, FaultInjectingStore store, string id, Func<CancellationToken, ValueTask> act)
    {
        var writer = await engine.LoadAsync(id);
        writer.Set("n", 1);
        var held = store.On(StoreVerb.Replace).Hold();
        var writing = engine.Sessions.CommitAsync(writer, Token).AsTask();
        await held.Arrived;
        using var patience = new CancellationTokenSource();
        var acting = act(patience.Token).AsTask();
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => acting);
        held.Release();
        await writing;
    }

    /// <summary>The request's own commit, after the handler answered "try again". It may refuse.</summary>
    private static async Task CommitAnywayAsync(Engine engine, Session session)
    {
        try
        {
            await engine.Sessions.CommitAsync(session, Token);
        }
        catch (SessionStoreException)
        {
        }
    }

    private static async Task<string> StoredAsync(Engine engine)
    {
        var session = engine.Sessions.Create();
        session.Set("seed", "1");
        await engine.Sessions.CommitAsync(session, Token);
        return session.Id;
    }
}
