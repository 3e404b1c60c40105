using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests;

/// <summary>Corners of a session's entries and life, each of which was wrong once.</summary>
public sealed class SessionCornerTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_value_kept_past_its_lifetime_is_not_popped()
    {
        var engine = new Engine(_memory, _time);
        var session = engine.Sessions.Create();
        await session.GetOrCreateAsync<string>("code", _ => ValueTask.FromResult<string?>("123456"), TimeSpan.FromMinutes(5), Token);
        await engine.Sessions.CommitAsync(session, Token);
        _time.Advance(TimeSpan.FromMinutes(6));
        var later = await engine.LoadAsync(session.Id);
        Assert.False(later.Contains("code"));
        Assert.Null(await later.PopAsync<string>("code", Token));
    }

    [Fact]
    public async Task A_value_kept_past_its_lifetime_is_not_updated()
    {
        var engine = new Engine(_memory, _time);
        var session = engine.Sessions.Create();
        await session.GetOrCreateAsync<int>("tries", _ => ValueTask.FromResult(5), TimeSpan.FromMinutes(5), Token);
        await engine.Sessions.CommitAsync(session, Token);
        _time.Advance(TimeSpan.FromMinutes(6));
        var later = await engine.LoadAsync(session.Id);
        Assert.Equal(0, later.Get<int>("tries"));
        Assert.Equal(1, await later.UpdateAsync<int>("tries", tries => tries + 1, Token));
    }

    [Fact]
    public async Task A_flash_that_is_set_again_stays_for_the_next_request()
    {
        var engine = new Engine(_memory, _time);
        var session = engine.Sessions.Create();
        session.Flash("notice", "Saved.");
        await engine.Sessions.CommitAsync(session, Token);

        var redirecting = await engine.LoadAsync(session.Id);
        redirecting.Flash("notice", redirecting.Get<string>("notice")!);
        await engine.Sessions.CommitAsync(redirecting, Token);

        Assert.Equal("Saved.", (await engine.LoadAsync(session.Id)).Get<string>("notice"));
    }

    /// <summary>Options that are not read-only yet remember nothing: a session of numbers alone had them work out a type at every read.</summary>
    [Fact]
    public void How_a_type_is_read_is_worked_out_once()
    {
        var resolver = new CountingResolver();
        var engine = new Engine(_memory, _time, options => options.UseJson(new JsonSerializerOptions { TypeInfoResolver = resolver }));
        var session = engine.Sessions.Create();
        session.Set("n", 1);
        Assert.Equal(1, session.Get<int?>("n"));
        var asked = resolver.Asked;
        Assert.NotEqual(0, asked);
        for (var i = 0; i < 10; i++)
        {
            session.Set("n", 1 + session.Get<int?>("n")!.Value);
        }

        Assert.Equal(asked, resolver.Asked);
    }

    /// <summary>The same for an application that says itself how an entry is read.</summary>
    [Fact]
    public void How_a_type_of_the_applications_own_is_read_is_worked_out_once()
    {
        var resolver = new CountingResolver();
        var type = (JsonTypeInfo<int?>)new JsonSerializerOptions { TypeInfoResolver = resolver }.GetTypeInfo(typeof(int?));
        var session = new Engine(_memory, _time).Sessions.Create();
        session.Set("n", 1);
        Assert.Equal(1, session.Get("n", type));
        Assert.Equal(1, session.Get("n", type));
        var asked = resolver.Asked;
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(1, session.Get("n", type));
        }

        Assert.Equal(asked, resolver.Asked);
    }

    [Fact]
    public void Options_without_a_resolver_of_types_get_the_default_one()
    {
        var engine = new Engine(_memory, _time, options => options.UseJson(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower }));
        var session = engine.Sessions.Create();
        session.Set("at", new { UserName = "ada" });
        Assert.Equal("ada", session.Get<Dictionary<string, string>>("at")!["user_name"]);
    }

    [Fact]
    public async Task A_change_of_the_cookie_is_not_lost_by_a_parallel_write()
    {
        var (one, other) = (NewLasting(), NewLasting());
        var id = await StoredAsync(one);
        var writer = await one.LoadAsync(id);
        var changer = await other.LoadAsync(id);
        changer.Cookie.MaxAge = TimeSpan.FromDays(30);
        await other.Sessions.CommitAsync(changer, Token);
        Assert.Equal(TimeSpan.FromDays(30), (await one.LoadAsync(id)).Cookie.MaxAge);
        writer.Set("n", 1);
        await one.Sessions.CommitAsync(writer, Token);
        Assert.Equal(TimeSpan.FromDays(30), (await one.LoadAsync(id)).Cookie.MaxAge);

        Engine NewLasting() => new(_memory, _time, o => o.Cookie.MaxAge = TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task A_new_id_for_a_session_that_was_unset_loses_nothing()
    {
        var engine = new Engine(_memory, _time);
        var session = await engine.LoadAsync(await StoredAsync(engine));
        session.Unset();
        var refused = await Record.ExceptionAsync(async () => await session.RenewIdAsync(Token));
        Assert.True(
            (await engine.LoadAsync(session.Id)).Contains("seed"), $"What was stored is gone. RenewIdAsync threw {refused?.GetType().Name ?? "nothing"}.");
    }

    [Fact]
    public async Task A_session_in_use_whose_sign_in_gave_it_a_short_idle_time_does_not_end()
    {
        var engine = new Engine(_memory, _time, o => (o.IdleTimeout, o.TouchInterval) = (TimeSpan.FromHours(8), TimeSpan.FromMinutes(10)));
        var id = (await engine.SignInAsync("ada", new SessionSignIn { IdleTimeout = TimeSpan.FromMinutes(5) })).Id;
        for (var minute = 0; minute < 10; minute++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            var session = await engine.Sessions.LoadAsync(id, Token);
            Assert.True(session is not null, $"It ended in minute {minute + 1}, though it was used every minute.");
            await engine.Sessions.CommitAsync(session, Token);
        }
    }

    [Fact]
    public async Task A_session_that_renews_its_id_in_a_long_end_of_its_user_ends()
    {
        var store = new FaultInjectingStore(_memory);
        var engine = new Engine(store, TimeProvider.System, o => o.StoreTimeout = TimeSpan.FromMilliseconds(300));
        var sessions = new List<Session>();
        for (var i = 0; i < 40; i++) sessions.Add(await engine.SignInAsync("ada"));
        store.On(StoreVerb.Delete).Delay(TimeSpan.FromMilliseconds(40));
        var ending = engine.Administration.EndAsync(new() { Subject = "ada" }, cancellationToken: Token).AsTask();
        while (store.CallsOf(StoreVerb.Delete) == 0) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        var last = await engine.LoadAsync(sessions[^1].Id);
        try
        {
            await last.RenewIdAsync(Token);
        }
        catch (SessionEndedException)
        {
        }

        var ended = await ending;
        var alive = await engine.Administration.ListAsync("ada", cancellationToken: Token);
        Assert.True(alive.Count == 0, $"{ended} ended, {alive.Count} alive.");
    }

    [Fact]
    public async Task A_request_that_changes_nothing_does_not_fail_as_its_id_is_due()
    {
        var engine = new Engine(_memory, _time, o => (o.RenewIdAfter, o.MaxDocumentBytes, o.Secrets) = (TimeSpan.FromMinutes(15), 1024, ["secret"]));
        var session = engine.Sessions.Create(new Visit(_time));
        session.Set("big", "");
        await engine.Sessions.CommitAsync(session, Token);
        var length = (await _memory.ReadAsync(session.Key, Token))!.Document.Length;
        var again = await engine.LoadAsync(session.Id);
        again.Set("big", new string('x', 1024 - length));
        await engine.Sessions.CommitAsync(again, Token);
        Assert.Equal(1024, (await _memory.ReadAsync(session.Key, Token))!.Document.Length);
        _time.Advance(TimeSpan.FromMinutes(16));
        var reading = (await engine.Sessions.LoadAsync(session.Id, session.Key, new Visit(_time), isCopyEnough: true, Token))!;
        Assert.NotNull(reading.Get<string>("big"));
        await engine.Sessions.CommitAsync(reading, Token);
    }

    [Fact]
    public async Task A_request_that_had_the_session_goes_on_in_it_for_as_long_as_an_unused_session_lives()
    {
        var engine = new Engine(_memory, _time, o => (o.RenewIdAfter, o.Secrets) = (TimeSpan.FromMinutes(15), ["secret"]));
        var begun = engine.Sessions.Create(new Visit(_time));
        begun.Set("n", 1);
        await engine.Sessions.CommitAsync(begun, Token);
        var (soon, late) = (await VisitAsync(begun.Id), await VisitAsync(begun.Id));
        var id = begun.Id;
        for (var i = 0; i < 6; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(10));
            var visit = await VisitAsync(id);
            await engine.Sessions.CommitAsync(visit, Token);
            id = visit.Id;
            await _memory.PruneAsync(_time.GetUtcNow(), Token);
            if (i == 2)
            {
                soon.Set("progress", 1);
                await soon.SaveAsync(Token);
            }
        }

        Assert.NotEqual(begun.Id, id);
        Assert.True((await engine.LoadAsync(id)).Contains("progress"));
        late.Set("late", 1);
        await Assert.ThrowsAsync<SessionEndedException>(async () => await late.SaveAsync(Token));

        async Task<Session> VisitAsync(string id) =>
            (await engine.Sessions.LoadAsync(id, engine.Sessions.KeyOf(id), new Visit(_time), isCopyEnough: true, Token))!;
    }

    [Fact]
    public async Task Two_types_of_one_entry_both_changed_stay_an_error()
    {
        var engine = new Engine(_memory, _time);
        var session = engine.Sessions.Create();
        session.Set("cart", new Dictionary<string, string> { ["a"] = "1" });
        await engine.Sessions.CommitAsync(session, Token);
        session = await engine.LoadAsync(session.Id);
        session.Get<Dictionary<string, string>>("cart")!["a"] = "2";
        session.Get<SortedDictionary<string, string>>("cart")!["b"] = "3";
        await Assert.ThrowsAsync<SessionEntryException>(async () => await session.SaveAsync(Token));
        await Assert.ThrowsAsync<SessionEntryException>(async () => await engine.Sessions.CommitAsync(session, Token));
    }

    [Fact]
    public async Task Many_small_entries_are_listed_and_cleared_in_one_pass()
    {
        const int Many = 70_000;
        var engine = new Engine(_memory, _time);
        var json = new StringBuilder("{\"cookie\":{\"originalMaxAge\":null,\"expires\":null,\"httpOnly\":true,\"path\":\"/\"}");
        for (var i = 0; i < Many; i++) json.Append(CultureInfo.InvariantCulture, $",\"sku{i}\":1");
        var key = engine.Sessions.KeyOf(await StoredAsync(engine));
        var record = new SessionRecord(Encoding.UTF8.GetBytes(json.Append('}').ToString()), _time.GetUtcNow().AddMinutes(20));
        await _memory.ReplaceAsync(key, (await _memory.ReadAsync(key, Token))!, record, Token);
        Assert.Single((await engine.Administration.PageAsync(cancellationToken: Token)).Sessions);
        var document = SessionDocument.Of(record)!;
        Assert.Equal(Many, document.Names().Count);
        document.ClearEntries();
        Assert.Empty(document.Names());
    }

    [Fact]
    public async Task A_session_that_another_writer_made_too_large_can_be_read()
    {
        var engine = new Engine(_memory, _time, o => (o.MaxDocumentBytes, o.Resave) = (1024, true));
        var id = await StoredAsync(engine);
        var key = engine.Sessions.KeyOf(id);
        await _memory.ReplaceAsync(key, (await _memory.ReadAsync(key, Token))!, new SessionRecord(
            Encoding.UTF8.GetBytes($$"""{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"big":"{{new string('x', 2000)}}"}"""), _time.GetUtcNow().AddMinutes(20)), Token);
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(19));
            var session = await engine.LoadAsync(id);
            Assert.Equal(2000, session.Get<string>("big")!.Length);
            await engine.Sessions.CommitAsync(session, Token);
        }
    }

    [Fact]
    public async Task A_session_that_was_destroyed_in_a_migration_that_failed_midway_does_not_come_back()
    {
        var old = new FaultInjectingStore(_memory);
        await using var migrating = new MigratingStore(old, new MemorySessionStore(timeProvider: _time), "tests", _time);
        var id = await StoredAsync(new Engine(_memory, _time));
        var engine = new Engine(migrating, _time);
        var session = await engine.LoadAsync(id);
        old.On(StoreVerb.Delete).Fail(times: 1);
        await Assert.ThrowsAsync<SessionStoreException>(async () => await session.DestroyAsync(Token));
        Assert.Null(await engine.Sessions.LoadAsync(id, Token));
        _time.Advance(TimeSpan.FromMinutes(11));
        await migrating.PruneAsync(_time.GetUtcNow(), Token);
        Assert.Null(await engine.Sessions.LoadAsync(id, Token));
    }

    private static async Task<string> StoredAsync(Engine engine)
    {
        var session = engine.Sessions.Create();
        session.Set("seed", "1");
        await engine.Sessions.CommitAsync(session, Token);
        return session.Id;
    }

    private sealed class CountingResolver : DefaultJsonTypeInfoResolver
    {
        public int Asked { get; private set; }

        public override JsonTypeInfo GetTypeInfo(Type type, JsonSerializerOptions options)
        {
            Asked++;
            return base.GetTypeInfo(type, options);
        }
    }
}
