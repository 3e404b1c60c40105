using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Administration;

public sealed class SessionAdministrationTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _store = new();
    private readonly EventLog _log = new();
    private readonly Engine _engine;

    public SessionAdministrationTests() => _engine = new Engine(_store, _time, handler: _log);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_subjects_sessions_are_listed_without_anything_that_could_be_replayed()
    {
        var phone = await _engine.SignInAsync("ada", new SessionSignIn { Device = new() { Agent = "Phone", Network = "192.0.2.0/24" } });
        _time.Advance(TimeSpan.FromMinutes(5));
        var laptop = await _engine.SignInAsync("ada", new SessionSignIn { Device = new() { Agent = "Laptop" } });
        laptop.Set("cart", "tea");
        await _engine.Sessions.CommitAsync(laptop, Token);
        await _engine.SignInAsync("bob");
        var sessions = await _engine.Administration.ListAsync("ada", laptop, Token);
        Assert.Equal(["Laptop", "Phone"], sessions.Select(session => session.Device!.Agent));
        Assert.Equal([true, false], sessions.Select(session => session.IsCurrent));
        Assert.Equal(["cart"], sessions[0].Names);
        Assert.Equal(
            (phone.Handle, "192.0.2.0/24", _time.GetUtcNow() - TimeSpan.FromMinutes(5)),
            (sessions[1].Handle, sessions[1].Device!.Network, sessions[1].LastSeenAt));
        var shown = string.Join('\n', sessions);
        Assert.DoesNotContain(laptop.Id, shown, StringComparison.Ordinal);
        Assert.DoesNotContain(_engine.Sessions.KeyOf(laptop.Id), shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_is_found_and_ended_by_its_handle()
    {
        var (one, other) = (await _engine.SignInAsync("ada"), await _engine.SignInAsync("ada"));
        Assert.Equal("ada", (await _engine.Administration.FindAsync(one.Handle, Token))!.Subject);
        Assert.Equal(1, await _engine.Administration.EndAsync(new() { Handle = one.Handle }, SessionEndReason.ByOperator, Token));
        Assert.Null(await _engine.Administration.FindAsync(one.Handle, Token));
        Assert.False(await _engine.IsAliveAsync(one));
        Assert.True(await _engine.IsAliveAsync(other));
        Assert.Equal(0, await _engine.Administration.EndAsync(new() { Handle = one.Handle }, SessionEndReason.ByOperator, Token));
    }

    [Fact]
    public async Task A_filter_names_a_session_only_if_all_of_it_holds()
    {
        var session = await _engine.SignInAsync("ada");
        Assert.Equal(0, await _engine.Administration.EndAsync(new() { Handle = session.Handle, Subject = "bob" }, cancellationToken: Token));
        Assert.Equal(0, await _engine.Administration.EndAsync(new() { Subject = "ada", Label = "sid:1" }, cancellationToken: Token));
        Assert.True(await _engine.IsAliveAsync(session));
    }

    [Fact]
    public async Task A_filter_that_names_nothing_throws()
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await _engine.Administration.EndAsync(new(), cancellationToken: Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await _engine.Administration.EndAsync(new() { Except = "h" }, cancellationToken: Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await _engine.Administration.EndAsync(new() { Subject = "" }, cancellationToken: Token));
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await _engine.Administration.EndAsync(new() { Label = "subject:ada" }, cancellationToken: Token));
    }

    [Fact]
    public async Task The_others_end_and_the_one_that_asked_stays()
    {
        var mine = await _engine.SignInAsync("ada");
        Session[] others = [await _engine.SignInAsync("ada"), await _engine.SignInAsync("ada")];
        var bobs = await _engine.SignInAsync("bob");
        Assert.Equal(2, await _engine.Administration.EndOthersAsync(mine, SessionEndReason.CredentialsChanged, Token));
        Assert.True(await _engine.IsAliveAsync(mine));
        Assert.True(await _engine.IsAliveAsync(bobs));
        foreach (var other in others)
        {
            Assert.False(await _engine.IsAliveAsync(other));
        }

        await mine.RenewIdAsync(Token);
        Assert.True(await _engine.IsAliveAsync(mine));
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await _engine.Administration.EndOthersAsync(_engine.Sessions.Create(), cancellationToken: Token));
    }

    [Fact]
    public async Task Sessions_end_by_the_sid_of_their_provider()
    {
        var session = await _engine.SignInAsync("ada", new SessionSignIn { Labels = { "sid:08a5" } });
        await session.RenewIdAsync(Token);
        Assert.Equal(1, await _engine.Administration.EndAsync(new() { Label = "sid:08a5" }, SessionEndReason.ByProvider, Token));
        Assert.False(await _engine.IsAliveAsync(session));
    }

    [Fact]
    public async Task Acting_as_a_user_ends_with_the_sessions_of_either()
    {
        foreach (var subject in (string[])["operator", "ada"])
        {
            var session = await _engine.SignInAsync("operator");
            await session.ImpersonateAsync("ada", Token);
            Assert.Single(
                await _engine.Administration.ListAsync("operator", cancellationToken: Token), info => info is { Subject: "ada", Impersonator: "operator" });
            Assert.Equal(1, await _engine.Administration.EndAsync(new() { Subject = subject }, cancellationToken: Token));
            Assert.False(await _engine.IsAliveAsync(session));
        }
    }

    [Fact]
    public async Task Everything_ends_signed_in_or_not()
    {
        var anonymous = _engine.Sessions.Create();
        anonymous.Set("cart", "tea");
        await _engine.Sessions.CommitAsync(anonymous, Token);
        var ada = await _engine.SignInAsync("ada");
        Assert.Equal(2, await _engine.Administration.CountAsync(Token));
        Assert.Equal(2, await _engine.Administration.EndEverythingAsync(cancellationToken: Token));
        Assert.False(await _engine.IsAliveAsync(anonymous));
        Assert.False(await _engine.IsAliveAsync(ada));
        Assert.Equal(0, await _engine.Administration.CountAsync(Token));
    }

    [Fact]
    public async Task Pages_go_through_all_sessions_that_have_not_expired()
    {
        for (var i = 0; i < 7; i++)
        {
            await _engine.SignInAsync($"user{i}");
        }

        _time.Advance(TimeSpan.FromHours(1));
        for (var i = 7; i < 12; i++)
        {
            await _engine.SignInAsync($"user{i}");
        }

        var seen = new List<string?>();
        string? after = null;
        do
        {
            var page = await _engine.Administration.PageAsync(after, 5, Token);
            seen.AddRange(page.Sessions.Select(session => session.Subject));
            after = page.Next;
        }
        while (after is not null);

        Assert.Equal(Enumerable.Range(7, 5).Select(i => $"user{i}").Order(), seen.Order());
    }

    [Fact]
    public async Task A_request_in_flight_does_not_bring_an_ended_session_back()
    {
        var session = await _engine.SignInAsync("ada");
        var slow = await _engine.LoadAsync(session.Id);
        slow.Set("late", 1);
        await _engine.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Token);
        await Assert.ThrowsAsync<SessionEndedException>(async () => await _engine.Sessions.CommitAsync(slow, Token));
        Assert.False(await _engine.IsAliveAsync(session));
    }

    [Fact]
    public async Task O27_Handlers_hear_a_life_from_its_beginning_to_its_end_under_one_handle()
    {
        var visitor = _engine.Sessions.Create();
        visitor.Set("cart", "tea");
        await _engine.Sessions.CommitAsync(visitor, Token);
        await visitor.SignInAsync("ada", cancellationToken: Token);
        await visitor.RenewIdAsync(Token);
        await visitor.DestroyAsync(Token);
        Assert.Equal([SessionEventKind.Created, SessionEventKind.SignedIn, SessionEventKind.Renewed, SessionEventKind.Ended], _log.Events.Select(e => e.Kind));
        Assert.Single(_log.Events.Select(e => e.Handle).Distinct(), handle => handle is not null);
        Assert.Equal([null, "ada", "ada", "ada"], _log.Events.Select(e => e.Subject));
        Assert.Equal(SessionEndReason.Destroyed, _log.Events[^1].Reason);
    }

    [Fact]
    public async Task Handlers_hear_why_a_session_ended_once_for_each()
    {
        var engine = new Engine(_store, _time, o => o.MaxSessionsPerSubject = 1, _log);
        var first = await engine.SignInAsync("ada");
        await engine.SignInAsync("ada");
        await engine.Administration.EndAsync(new() { Subject = "ada" }, SessionEndReason.CredentialsChanged, Token);
        var expiring = await engine.SignInAsync("ada");
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(await engine.IsAliveAsync(expiring));
        Assert.False(await engine.IsAliveAsync(expiring));
        Assert.Equal(
            [SessionEndReason.TooMany, SessionEndReason.CredentialsChanged],
            _log.Events.Where(e => e.Kind == SessionEventKind.Ended).Select(e => e.Reason!.Value));
        Assert.Single(_log.Events, e => e.Kind == SessionEventKind.Expired && e.Handle == expiring.Handle);
        Assert.Equal(first.Handle, _log.Events.First(e => e.Kind == SessionEventKind.Ended).Handle);
    }

    [Fact]
    public async Task V16_A_handler_that_throws_keeps_no_session_alive()
    {
        var engine = new Engine(_store, _time, handler: new Failing());
        var session = await engine.SignInAsync("ada");
        await session.DestroyAsync(Token);
        Assert.False(await engine.IsAliveAsync(session));
    }

    [Fact]
    public async Task Unknown_ids_and_unreadable_documents_are_told_of()
    {
        Assert.Null(await _engine.Sessions.LoadAsync("unknown", Token));
        var key = _engine.Sessions.KeyOf("broken");
        await _store.CreateAsync(key, new SessionRecord("[]"u8.ToArray(), _time.GetUtcNow() + TimeSpan.FromHours(1)), Token);
        Assert.Null(await _engine.Sessions.LoadAsync("broken", Token));
        Assert.Equal([SessionSuspicion.UnknownId, SessionSuspicion.UnreadableDocument], _log.Events.Select(e => e.Suspicion!.Value));
    }

    [Fact]
    public async Task A_channel_keeps_the_latest_events_and_counts_what_it_dropped()
    {
        var channel = new SessionEventChannel(2);
        var engine = new Engine(_store, _time, handler: channel);
        var session = await engine.SignInAsync("ada");
        await session.DestroyAsync(Token);
        Assert.Equal(1, channel.Dropped);
        Assert.True(channel.Reader.TryRead(out var signedIn));
        Assert.Equal(SessionEventKind.SignedIn, signedIn.Kind);
        Assert.True(channel.Reader.TryRead(out var ended));
        Assert.Equal(SessionEventKind.Ended, ended.Kind);
    }

    [Fact]
    public async Task Without_handlers_an_anonymous_session_has_no_handle_and_costs_no_more()
    {
        var store = new FaultInjectingStore(_store);
        var engine = new Engine(store, _time);
        var visitor = engine.Sessions.Create();
        visitor.Set("cart", "tea");
        await engine.Sessions.CommitAsync(visitor, Token);
        Assert.Equal(1, store.Calls);
        Assert.Empty((await _store.ReadAsync(engine.Sessions.KeyOf(visitor.Id), Token))!.Labels);
    }

    private sealed class Failing : ISessionEventHandler
    {
        public ValueTask HandleAsync(
            SessionEvent sessionEvent, CancellationToken cancellationToken) => throw new InvalidOperationException("The handler fails.");
    }
}
