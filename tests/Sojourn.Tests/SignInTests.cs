using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

public sealed class SignInTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _store = new();
    private readonly Engine _engine;

    public SignInTests() => _engine = new Engine(_store, _time);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Signing_in_gives_a_new_id_and_keeps_what_the_visitor_had_put_in()
    {
        var session = _engine.Sessions.Create();
        session.Set("cart", "tea");
        await _engine.Sessions.CommitAsync(session, Token);
        var before = session.Id;
        await session.SignInAsync("ada", cancellationToken: Token);
        Assert.NotEqual(before, session.Id);
        Assert.Null(await _engine.Sessions.LoadAsync(before, Token));
        var stored = await _engine.LoadAsync(session.Id);
        Assert.Equal(("ada", "tea", _time.GetUtcNow()), (stored.Subject, stored.Get<string>("cart"), stored.SignedInAt));
    }

    /// <summary>Another task of the request may save between the two steps of a sign-in, which are its change and its new id.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_signs_in_is_never_saved_under_the_old_id(bool isInMemory)
    {
        var engine = isInMemory ? _engine : new Engine(new BareStore(_store), _time);
        var session = engine.Sessions.Create();
        session.Set("cart", "tea");
        await session.SaveAsync(Token);
        session = await engine.LoadAsync(session.Id);
        var (before, key) = (session.Id, session.Key);
        session.ApplySignIn("ada", session.PlannedHandle("ada"), new SessionSignIn());
        await session.SaveAsync(Token);
        Assert.NotEqual(before, session.Id);
        Assert.Null(await _store.ReadAsync(key, Token));
        var stored = await engine.LoadAsync(session.Id);
        Assert.Equal(("ada", "tea"), (stored.Subject, stored.Get<string>("cart")));
        await session.RenewIdAsync(Token);
        Assert.Equal("ada", (await engine.LoadAsync(session.Id)).Subject);
    }

    [Fact]
    public async Task A_session_that_is_destroyed_by_a_request_of_its_id_before_ends_under_its_new_one()
    {
        var log = new EventLog();
        var engine = new Engine(_store, _time, handler: log);
        foreach (var isSignIn in new[] { true, false })
        {
            var session = await engine.SignInAsync("ada");
            var meanwhile = await engine.LoadAsync(session.Id);
            await (isSignIn ? session.SignInAsync("ada", cancellationToken: Token) : session.RenewIdAsync(Token));
            await meanwhile.DestroyAsync(Token);
            Assert.False(await engine.IsAliveAsync(session));
            Assert.Equal(
                SessionEndReason.Destroyed, Assert.Single(log.Events, each => each.Kind == SessionEventKind.Ended && each.Handle == session.Handle).Reason);
        }
    }

    [Fact]
    public async Task A_sign_in_may_leave_the_entries_behind_and_leaves_another_subjects_always()
    {
        var session = await _engine.SignInAsync("ada");
        session.Set("diary", "mine");
        await session.SignInAsync("ada", cancellationToken: Token);
        Assert.Equal("mine", session.Get<string>("diary"));
        var watched = session.Get<List<string>>("list");
        await session.SignInAsync("bob", cancellationToken: Token);
        Assert.Empty((await _engine.LoadAsync(session.Id)).Names);
        session.Set("cart", "tea");
        await session.SignInAsync("bob", new SessionSignIn { KeepsEntries = false }, Token);
        Assert.Empty((await _engine.LoadAsync(session.Id)).Names);
        Assert.Null(watched);
    }

    [Fact]
    public async Task The_handle_stays_with_its_subject_and_another_one_gets_their_own()
    {
        var session = await _engine.SignInAsync("ada");
        var handle = session.Handle;
        await session.SignInAsync("ada", cancellationToken: Token);
        Assert.Equal(handle, session.Handle);
        await session.SignInAsync("bob", cancellationToken: Token);
        Assert.NotEqual(handle, session.Handle);
        Assert.Null(await _engine.Administration.FindAsync(handle, Token));
    }

    [Fact]
    public async Task An_object_handed_out_before_another_subject_signed_in_is_not_saved_into_their_session()
    {
        var session = await _engine.SignInAsync("ada");
        session.Set("list", new List<string> { "a" });
        await _engine.Sessions.CommitAsync(session, Token);
        var adas = session.Get<List<string>>("list")!;
        await session.SignInAsync("bob", cancellationToken: Token);
        adas.Add("secret");
        await _engine.Sessions.CommitAsync(session, Token);
        Assert.Empty((await _engine.LoadAsync(session.Id)).Names);
    }

    [Fact]
    public async Task Each_sign_in_has_the_deadlines_that_it_asked_for()
    {
        var session = await _engine.SignInAsync("ada", new SessionSignIn { IdleTimeout = TimeSpan.FromHours(2), AbsoluteTimeout = TimeSpan.FromHours(3) });
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromHours(2), session.ExpiresAt);
        _time.Advance(TimeSpan.FromMinutes(119));
        await _engine.Sessions.CommitAsync(await _engine.LoadAsync(session.Id), Token);
        var kept = await _engine.LoadAsync(session.Id);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(61), kept.ExpiresAt);
        await kept.RenewIdAsync(Token);
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.False(await _engine.IsAliveAsync(kept));
    }

    [Fact]
    public async Task A_sign_in_without_an_absolute_deadline_has_none()
    {
        var session = await _engine.SignInAsync("ada", new SessionSignIn { AbsoluteTimeout = Timeout.InfiniteTimeSpan });
        Assert.Null(session.AbsoluteExpiresAt);
        Assert.Null((await _engine.LoadAsync(session.Id)).AbsoluteExpiresAt);
    }

    [Fact]
    public async Task Being_remembered_lasts_as_long_as_the_options_say_and_ends_with_the_next_sign_in_without_it()
    {
        var session = await _engine.SignInAsync("ada", new SessionSignIn { IsPersistent = true });
        Assert.Equal(TimeSpan.FromDays(30), session.Cookie.MaxAge);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromDays(30), session.ExpiresAt);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromDays(90), session.AbsoluteExpiresAt);
        var again = await _engine.LoadAsync(session.Id);
        await again.SignInAsync("ada", cancellationToken: Token);
        Assert.Null(again.Cookie.MaxAge);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(20), again.ExpiresAt);
    }

    [Fact]
    public async Task A_remembered_session_is_not_touched_more_often_than_every_five_minutes()
    {
        var store = new FaultInjectingStore(_store);
        var engine = new Engine(store, _time);
        var session = await engine.SignInAsync("ada", new SessionSignIn { IsPersistent = true });
        _time.Advance(TimeSpan.FromSeconds(224));
        await engine.Sessions.CommitAsync(await engine.LoadAsync(session.Id), Token);
        Assert.Equal(0, store.CallsOf(StoreVerb.Touch));
        _time.Advance(TimeSpan.FromSeconds(76));
        await engine.Sessions.CommitAsync(await engine.LoadAsync(session.Id), Token);
        Assert.Equal(1, store.CallsOf(StoreVerb.Touch));
    }

    [Fact]
    public async Task Confirming_a_sign_in_gives_a_new_id_and_moves_nothing_but_its_time()
    {
        var session = await _engine.SignInAsync("ada");
        session.Set("cart", "tea");
        var (before, absolute) = (session.Id, session.AbsoluteExpiresAt);
        _time.Advance(TimeSpan.FromMinutes(10));
        await session.ConfirmSignInAsync(Token);
        Assert.NotEqual(before, session.Id);
        Assert.Null(await _engine.Sessions.LoadAsync(before, Token));
        var stored = await _engine.LoadAsync(session.Id);
        Assert.Equal((_time.GetUtcNow(), absolute, "tea"), (stored.SignedInAt, stored.AbsoluteExpiresAt, stored.Get<string>("cart")));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await _engine.Sessions.Create().ConfirmSignInAsync(Token));
    }

    [Fact]
    public async Task Who_acts_as_another_user_sees_none_of_their_own_entries_and_finds_them_on_the_way_back()
    {
        var session = await _engine.SignInAsync("operator", new SessionSignIn { Labels = { "sid:1" } });
        session.Set("notes", new List<string> { "mine" });
        var (before, absolute) = (session.Id, session.AbsoluteExpiresAt);
        await session.ImpersonateAsync("ada", Token);
        Assert.Null(await _engine.Sessions.LoadAsync(before, Token));
        var acting = await _engine.LoadAsync(session.Id);
        Assert.Equal(("ada", "operator", null, absolute), (acting.Subject, acting.Impersonator, acting.SignedInAt, acting.AbsoluteExpiresAt));
        Assert.Empty(acting.Names);
        acting.Set("cart", "tea");
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await acting.ImpersonateAsync("bob", Token));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await acting.ConfirmSignInAsync(Token));
        await acting.StopImpersonatingAsync(Token);
        var back = await _engine.LoadAsync(acting.Id);
        Assert.Equal(("operator", null, _time.GetUtcNow()), (back.Subject, back.Impersonator, back.SignedInAt));
        Assert.Equal(["notes"], back.Names);
        Assert.Equal(["mine"], back.Get<List<string>>("notes"));
        Assert.Single(await _store.FindAsync("sid:1", Token));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await back.StopImpersonatingAsync(Token));
    }

    [Fact]
    public async Task Signing_in_while_acting_as_another_user_ends_the_acting_and_keeps_nothing_of_it()
    {
        var session = await _engine.SignInAsync("operator");
        session.Set("notes", "mine");
        await session.ImpersonateAsync("ada", Token);
        session.Set("cart", "tea");
        await session.SignInAsync("ada", cancellationToken: Token);
        var stored = await _engine.LoadAsync(session.Id);
        Assert.Null(stored.Impersonator);
        Assert.Empty(stored.Names);
    }

    [Fact]
    public async Task A_refused_sign_in_leaves_the_session_as_it_was()
    {
        var engine = new Engine(_store, _time, o => (o.MaxSessionsPerSubject, o.WhenTooManySessions) = (1, SessionLimitPolicy.Reject));
        var first = await engine.SignInAsync("ada");
        var visitor = engine.Sessions.Create();
        visitor.Set("cart", "tea");
        await engine.Sessions.CommitAsync(visitor, Token);
        var before = visitor.Id;
        Assert.Equal(1, (await Assert.ThrowsAsync<SessionLimitException>(async () => await visitor.SignInAsync("ada", cancellationToken: Token))).Limit);
        await engine.Sessions.CommitAsync(visitor, Token);
        var stored = await engine.LoadAsync(before);
        Assert.Equal((null, "tea"), (stored.Subject, stored.Get<string>("cart")));

        // Signing in again to the session that is there takes no other place.
        await first.SignInAsync("ada", cancellationToken: Token);
        await first.DestroyAsync(Token);
        await visitor.SignInAsync("ada", cancellationToken: Token);
    }

    [Theory]
    [InlineData(SessionLimitPolicy.EndOldest, "first")]
    [InlineData(SessionLimitPolicy.EndLeastRecentlyUsed, "second")]
    public async Task Past_the_limit_the_session_ends_that_the_policy_names(SessionLimitPolicy policy, string ended)
    {
        var engine = new Engine(_store, _time, o => (o.MaxSessionsPerSubject, o.WhenTooManySessions) = (2, policy));
        var sessions = new Dictionary<string, Session>();
        foreach (var name in (string[])["first", "second"])
        {
            sessions[name] = await engine.SignInAsync("ada");
            _time.Advance(TimeSpan.FromMinutes(2));
        }

        await engine.Sessions.CommitAsync(await engine.LoadAsync(sessions["first"].Id), Token);
        sessions["third"] = await engine.SignInAsync("ada");
        foreach (var (name, session) in sessions)
        {
            Assert.Equal(name != ended, await engine.IsAliveAsync(session));
        }
    }

    [Fact]
    public async Task Acting_as_a_user_takes_none_of_their_places()
    {
        var engine = new Engine(_store, _time, o => o.MaxSessionsPerSubject = 1);
        var user = await engine.SignInAsync("ada");
        var support = await engine.SignInAsync("operator");
        await support.ImpersonateAsync("ada", Token);
        Assert.True(await engine.IsAliveAsync(user));
        var elsewhere = await engine.SignInAsync("ada");
        Assert.False(await engine.IsAliveAsync(user));
        Assert.True(await engine.IsAliveAsync(support));
        Assert.True(await engine.IsAliveAsync(elsewhere));
    }

    [Fact]
    public async Task A_sign_in_that_was_proved_before_all_sessions_were_ended_is_refused()
    {
        var proved = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromSeconds(1));
        await _engine.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Token);
        await Assert.ThrowsAsync<SessionEndedException>(() => _engine.SignInAsync("ada", new SessionSignIn { ProvedAt = proved }));
        Assert.Empty(await _store.FindAsync("subject:ada", Token));
        Assert.Equal(_time.GetUtcNow(), (await _engine.SignInAsync("ada", new SessionSignIn { ProvedAt = _time.GetUtcNow() })).SignedInAt);
    }

    [Fact]
    public async Task A_sign_in_that_meets_the_end_of_all_sessions_is_undone()
    {
        var store = new FaultInjectingStore(_store);
        var engine = new Engine(store, _time);
        var visitor = engine.Sessions.Create();
        visitor.Set("cart", "tea");
        await engine.Sessions.CommitAsync(visitor, Token);
        var before = visitor.Id;
        var held = store.On(StoreVerb.Create).Hold();
        var signIn = visitor.SignInAsync("ada", cancellationToken: Token).AsTask();
        await held.Arrived;
        await _engine.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Token);
        held.Release();
        await Assert.ThrowsAsync<SessionEndedException>(() => signIn);
        Assert.Empty(await _store.FindAsync("subject:ada", Token));
        await Assert.ThrowsAsync<SessionEndedException>(async () => await engine.Sessions.CommitAsync(visitor, Token));
        Assert.Null((await engine.LoadAsync(before)).Subject);
    }

    [Theory]
    [InlineData("")]
    [InlineData("subject:ada")]
    [InlineData("handle:x")]
    [InlineData("nocolon")]
    [InlineData(":x")]
    public async Task Labels_that_are_not_the_applications_own_are_refused(string label) =>
        await Assert.ThrowsAnyAsync<ArgumentException>(() => _engine.SignInAsync("ada", new SessionSignIn { Labels = { label } }));

    [Fact]
    public async Task Deadlines_out_of_range_are_refused()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _engine.SignInAsync("ada", new SessionSignIn { IdleTimeout = TimeSpan.Zero }));
        await Assert.ThrowsAsync<ArgumentException>(() => _engine.SignInAsync("ada", new SessionSignIn { AbsoluteTimeout = TimeSpan.FromMilliseconds(1) }));
        await Assert.ThrowsAsync<ArgumentException>(() => _engine.SignInAsync(new string('a', 257)));
    }
}
