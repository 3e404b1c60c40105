using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>The engine by itself. Two managers on one store are two processes: they share nothing but the store.</summary>
public sealed class SessionManagerTests
{
    private static readonly int Rounds = int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACE_ROUNDS"), out var rounds) ? rounds : 200;

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_is_stored_before_the_first_entry()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var session = manager.Create();
        Assert.Null(session.Get<string>("name"));
        await manager.CommitAsync(session, Token);
        session.Set("name", "Ada");
        session.Remove("name");
        await manager.CommitAsync(session, Token);
        Assert.Equal(0, store.Calls);
        await session.SaveAsync(Token);
        Assert.NotNull(await manager.LoadAsync(session.Id, Token));
    }

    [Fact]
    public async Task Processes_that_change_different_entries_never_lose_each_others_work()
    {
        var (one, other) = (Manager(), Manager());
        var id = await StoredAsync(one);
        for (var round = 0; round < Rounds; round++)
        {
            var name = $"r{round % 20}";
            await Task.WhenAll(SetAsync(one, "one" + name, round), SetAsync(other, "other" + name, round));
            var seen = await LoadedAsync(one, id);
            Assert.Equal(round, seen.Get<int>("one" + name));
            Assert.Equal(round, seen.Get<int>("other" + name));
        }

        Task SetAsync(SessionManager manager, string name, int value) => ChangeAsync(manager, id, session => session.Set(name, value));
    }

    [Fact]
    public async Task An_update_counts_every_time_in_every_process()
    {
        SessionManager[] managers = [Manager(), Manager(), Manager()];
        var id = await StoredAsync(managers[0]);
        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => ChangeAsync(managers[i % 3], id, session => session.Update<int>("count", count => count + 1))));
        Assert.Equal(300, (await LoadedAsync(managers[0], id)).Get<int>("count"));
    }

    [Fact]
    public async Task Of_parallel_pops_one_gets_the_value()
    {
        SessionManager[] managers = [Manager(), Manager()];
        for (var round = 0; round < Rounds / 4; round++)
        {
            var id = await StoredAsync(managers[0]);
            await ChangeAsync(managers[0], id, session => session.Set("ticket", "42"));
            var popped = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(
                    i => Task.Run(async () => await (await LoadedAsync(managers[i % 2], id)).PopAsync<string>("ticket", Token), Token)));
            Assert.Single(popped, "42");
            Assert.Equal(7, popped.Count(value => value is null));
        }
    }

    [Fact]
    public async Task An_updates_value_is_the_one_that_was_stored()
    {
        SessionManager[] managers = [Manager(), Manager()];
        var id = await StoredAsync(managers[0]);
        var values = await Task.WhenAll(Enumerable.Range(0, 50).Select(i =>
            Task.Run(async () => await (await LoadedAsync(managers[i % 2], id)).UpdateAsync<int>("count", count => count + 1, Token), Token)));
        Assert.Equal(Enumerable.Range(1, 50), values.Order());
    }

    [Fact]
    public async Task A_destroyed_session_is_never_written_back_to_life()
    {
        var (one, other) = (Manager(), Manager());
        for (var round = 0; round < Rounds; round++)
        {
            var id = await StoredAsync(one);
            var writer = await LoadedAsync(one, id);
            writer.Set("late", round);
            var destroyer = await LoadedAsync(other, id);
            var write = Task.Run(() => one.CommitAsync(writer, Token).AsTask(), Token);
            await Task.WhenAll(Task.Run(() => destroyer.DestroyAsync(Token).AsTask(), Token), write.ContinueWith(_ => { }, TaskScheduler.Default));
            Assert.True(write.IsCompletedSuccessfully || write.Exception!.InnerException is SessionEndedException);
            Assert.Null(await one.LoadAsync(id, Token));
        }
    }

    [Fact]
    public async Task Renewing_the_id_loses_no_writers_work_and_leaves_the_old_id_dead()
    {
        var (one, other) = (Manager(), Manager());
        for (var round = 0; round < Rounds; round++)
        {
            var id = await StoredAsync(one);
            var renewer = await LoadedAsync(one, id);
            var writer = await LoadedAsync(other, id);
            writer.Update<int>("count", count => count + 1);
            var write = Task.Run(() => other.CommitAsync(writer, Token).AsTask(), Token);
            await Task.Run(() => renewer.SignInAsync("ada", cancellationToken: Token).AsTask(), Token);
            var wasSaved = await write.ContinueWith(task => task.IsCompletedSuccessfully, TaskScheduler.Default);
            Assert.Null(await one.LoadAsync(id, Token));
            var renewed = await LoadedAsync(one, renewer.Id);
            Assert.Equal("ada", renewed.Subject);
            Assert.Equal(wasSaved ? 1 : 0, renewed.Get<int>("count"));
        }
    }

    [Fact]
    public async Task A_session_destroyed_while_its_id_is_renewed_stays_dead_under_both_ids()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        var session = await LoadedAsync(manager, id);
        var held = store.On(StoreVerb.Delete).Hold();
        var renewal = session.RenewIdAsync(Token).AsTask();
        await held.Arrived;
        await _memory.DeleteAsync(KeyOf(manager, id), null, Token);
        held.Release();
        await Assert.ThrowsAsync<SessionEndedException>(() => renewal);
        Assert.Equal(0, await _memory.CountAsync(Token));
    }

    [Fact]
    public async Task The_fresh_record_is_handed_on_so_that_one_process_makes_no_conflicts()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        var sessions = new List<Session>();
        for (var i = 0; i < 10; i++)
        {
            var session = await LoadedAsync(manager, id);
            session.Update<int>("count", count => count + 1);
            sessions.Add(session);
        }

        store.ResetCounts();
        var held = store.On(StoreVerb.Replace).Hold();
        var commits = sessions.ConvertAll(session => manager.CommitAsync(session, Token).AsTask());
        await held.Arrived;
        held.Release();
        await Task.WhenAll(commits);
        Assert.Equal(10, store.CallsOf(StoreVerb.Replace));
        Assert.Equal(0, store.CallsOf(StoreVerb.Read));
        Assert.Equal(10, (await LoadedAsync(manager, id)).Get<int>("count"));
    }

    [Fact]
    public async Task A_commit_lands_though_others_were_faster_a_hundred_times_in_a_row()
    {
        var store = new OvertakingStore(_memory, times: 100);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        await ChangeAsync(manager, id, session => session.Update<int>("count", count => count + 1));
        Assert.Equal(101, store.Replaced);
        Assert.Equal(1, (await LoadedAsync(manager, id)).Get<int>("count"));
    }

    [Fact]
    public async Task A_commit_that_others_always_outrun_gives_up()
    {
        var store = new OvertakingStore(_memory, times: int.MaxValue);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        await Assert.ThrowsAsync<SessionConflictException>(() => ChangeAsync(manager, id, session => session.Update<int>("count", count => count + 1)));
        Assert.Equal(250, store.Replaced);
        Assert.Equal(0, (await LoadedAsync(manager, id)).Get<int>("count"));
    }

    [Fact]
    public async Task A_lost_answer_is_a_failure_that_no_later_commit_hides()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        var session = await LoadedAsync(manager, id);
        session.Update<int>("count", count => count + 1);
        store.On(StoreVerb.Replace).LoseAnswer(times: 1);
        await Assert.ThrowsAsync<SessionStoreException>(async () => await session.SaveAsync(Token));
        await Assert.ThrowsAsync<SessionStoreException>(async () => await manager.CommitAsync(session, Token));
        Assert.Equal(1, (await LoadedAsync(manager, id)).Get<int>("count"));
        await session.ReloadAsync(Token);
        Assert.Equal(1, session.Get<int>("count"));
        session.Update<int>("count", count => count + 1);
        await manager.CommitAsync(session, Token);
        Assert.Equal(2, (await LoadedAsync(manager, id)).Get<int>("count"));
    }

    [Fact]
    public async Task A44_A_store_that_does_not_answer_is_a_failure_in_time()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        var held = store.On(StoreVerb.Read).Hold();
        var load = manager.LoadAsync(id, Token).AsTask();
        await held.Arrived;
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<SessionStoreException>(() => load)).InnerException);
        held.Release();
    }

    [Fact]
    public async Task An_object_changed_in_place_is_saved_and_one_that_Node_wrote_otherwise_is_not_taken_for_changed()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        await _memory.ReplaceAsync(KeyOf(manager, id), (await _memory.ReadAsync(KeyOf(manager, id), Token))!, new SessionRecord(
            """{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"cart":{"items":[ "b" ], "owner":"\u0061da"}}"""u8.ToArray(), _time.GetUtcNow().AddMinutes(20)), Token);
        store.ResetCounts();

        var reader = await LoadedAsync(manager, id);
        Assert.Equal("ada", reader.Get<Cart>("cart")!.Owner);
        await manager.CommitAsync(reader, Token);
        Assert.Equal(0, store.CallsOf(StoreVerb.Replace));

        var writer = await LoadedAsync(manager, id);
        Assert.Same(writer.Get<Cart>("cart"), writer.Get<Cart>("cart"));
        writer.Get<Cart>("cart")!.Items.Add("c");
        await manager.CommitAsync(writer, Token);
        Assert.Equal(["b", "c"], (await LoadedAsync(manager, id)).Get<Cart>("cart")!.Items);
    }

    [Fact]
    public async Task Two_types_of_one_entry_both_changed_are_an_error()
    {
        var manager = Manager();
        var session = manager.Create();
        session.Set("cart", new Cart());
        await manager.CommitAsync(session, Token);
        session = await LoadedAsync(manager, session.Id);
        session.Get<Cart>("cart")!.Items.Add("a");
        session.Get<Dictionary<string, object>>("cart")!["owner"] = "eve";
        await Assert.ThrowsAsync<SessionEntryException>(async () => await manager.CommitAsync(session, Token));
    }

    [Fact]
    public async Task Idle_and_absolute_deadlines_end_a_session_and_renewing_moves_neither_back()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        for (var minutes = 0; minutes < 24 * 60 - 20; minutes += 19)
        {
            _time.Advance(TimeSpan.FromMinutes(19));
            var session = await LoadedAsync(manager, id);
            await session.RenewIdAsync(Token);
            id = session.Id;
        }

        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.Null(await manager.LoadAsync(id, Token));
        Assert.Equal(0, await _memory.CountAsync(Token));

        id = await StoredAsync(manager);
        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.Null(await manager.LoadAsync(id, Token));
    }

    [Fact]
    public async Task A_request_that_outlives_the_deadline_revives_nothing()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        var (writer, reader, renewer) = (await LoadedAsync(manager, id), await LoadedAsync(manager, id), await LoadedAsync(manager, id));
        writer.Set("late", 1);
        _time.Advance(TimeSpan.FromMinutes(20));
        await manager.CommitAsync(reader, Token);
        await Assert.ThrowsAsync<SessionEndedException>(async () => await manager.CommitAsync(writer, Token));
        await Assert.ThrowsAsync<SessionEndedException>(async () => await renewer.RenewIdAsync(Token));
        Assert.Null(await manager.LoadAsync(id, Token));
        Assert.Equal(0, await _memory.CountAsync(Token));
    }

    [Theory]
    [InlineData("write")]
    [InlineData("renew")]
    [InlineData("touch")]
    [InlineData("conflict")]
    public async Task A_session_that_expires_in_the_midst_of_its_own_commit_is_not_given_a_new_deadline(string commit)
    {
        // At each look at the clock in turn, the whole idle timeout has gone by.
        for (var look = 1; look <= 12; look++)
        {
            var clock = new LeapingClock();
            var manager = Manager(time: clock);
            var id = await StoredAsync(manager);
            var session = await LoadedAsync(manager, id);
            if (commit == "conflict")
            {
                await ChangeAsync(Manager(time: clock), id, other => other.Set("other", 1));
            }

            if (commit is "write" or "conflict")
            {
                session.Set("late", 1);
            }

            clock.LeapAt(look);
            try
            {
                if (commit == "touch")
                {
                    session.Touch();
                }

                if (commit == "renew")
                {
                    await session.RenewIdAsync(Token);
                }

                await manager.CommitAsync(session, Token);
            }
            catch (SessionEndedException)
            {
            }

            clock.LeapNow();
            Assert.Null(await manager.LoadAsync(id, Token));
            Assert.Null(await manager.LoadAsync(session.Id, Token));
        }
    }

    [Fact]
    public async Task A_request_that_outlives_the_deadline_it_knew_is_saved_where_others_kept_the_session_alive()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        var writer = await LoadedAsync(manager, id);
        writer.Set("late", 1);
        _time.Advance(TimeSpan.FromMinutes(10));
        await manager.CommitAsync(await LoadedAsync(manager, id), Token);
        _time.Advance(TimeSpan.FromMinutes(10));
        await manager.CommitAsync(writer, Token);
        Assert.True((await LoadedAsync(manager, id)).Contains("late"));
    }

    [Fact]
    public async Task A_save_that_its_caller_cancelled_is_never_done_twice()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        var session = await LoadedAsync(manager, id);
        session.Update<int>("count", count => count + 1);
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var held = store.On(StoreVerb.Replace).Hold();
        var save = session.SaveAsync(cancelled.Token).AsTask();
        await held.Arrived;
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => save);
        held.Release();
        await Assert.ThrowsAsync<SessionStoreException>(async () => await manager.CommitAsync(session, Token));
        Assert.InRange((await LoadedAsync(manager, id)).Get<int>("count"), 0, 1);
    }

    [Fact]
    public async Task An_unchanged_session_costs_one_touch_when_it_is_due_and_none_before()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var id = await StoredAsync(manager);
        _time.Advance(TimeSpan.FromSeconds(44));
        await manager.CommitAsync(await LoadedAsync(manager, id), Token);
        Assert.Equal(0, store.CallsOf(StoreVerb.Touch));
        _time.Advance(TimeSpan.FromSeconds(16));
        await manager.CommitAsync(await LoadedAsync(manager, id), Token);
        await manager.CommitAsync(await LoadedAsync(manager, id), Token);
        Assert.Equal(1, store.CallsOf(StoreVerb.Touch));
        store.On(StoreVerb.Touch).Fail();
        _time.Advance(TimeSpan.FromMinutes(2));
        await manager.CommitAsync(await LoadedAsync(manager, id), Token);
    }

    [Fact]
    public async Task Sessions_that_began_together_are_not_touched_together()
    {
        var store = new FaultInjectingStore(_memory);
        var manager = Manager(store);
        var ids = new List<string>();
        for (var i = 0; i < 256; i++) ids.Add(await StoredAsync(manager));
        foreach (var (seconds, fewest, most) in ((int, int, int)[])[(44, 0, 0), (8, 64, 192), (8, 256, 256)])
        {
            _time.Advance(TimeSpan.FromSeconds(seconds));
            foreach (var id in ids) await manager.CommitAsync(await LoadedAsync(manager, id), Token);
            Assert.InRange(store.CallsOf(StoreVerb.Touch), fewest, most);
        }
    }

    [Fact]
    public async Task A_clear_takes_what_the_request_saw_and_leaves_what_came_meanwhile()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        var clearer = await LoadedAsync(manager, id);
        await ChangeAsync(manager, id, session => session.Set("meanwhile", 1));
        clearer.Clear();
        await manager.CommitAsync(clearer, Token);
        Assert.Equal(["meanwhile"], (await LoadedAsync(manager, id)).Names);
    }

    [Fact]
    public async Task A_session_may_be_used_by_parallel_tasks()
    {
        var manager = Manager();
        var session = manager.Create();
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(
            async () =>
            {
                session.Set($"name{i}", i);
                session.Update<int>("count", count => count + 1);
                await session.SaveAsync(Token);
                await session.UpdateAsync<int>("saved", count => count + 1, Token);
            },
            Token)));
        await manager.CommitAsync(session, Token);
        var stored = await LoadedAsync(manager, session.Id);
        Assert.Equal(64, stored.Get<int>("count"));
        Assert.Equal(64, stored.Get<int>("saved"));
        Assert.Equal(66, stored.Names.Count);
    }

    [Fact]
    public async Task A_document_past_the_limit_is_refused_and_the_stored_one_stays()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        var session = await LoadedAsync(manager, id);
        session.Set("big", new string('x', 1024 * 1024));
        await Assert.ThrowsAsync<SessionTooLargeException>(async () => await manager.CommitAsync(session, Token));
        Assert.False((await LoadedAsync(manager, id)).Contains("big"));
    }

    [Theory]
    [InlineData("not JSON")]
    [InlineData("""{"$sojourn":[],"user":"admin"}""")]
    public async Task A_record_that_became_unreadable_while_the_request_ran_is_not_taken_over(string planted)
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        var session = await LoadedAsync(manager, id);
        session.Set("n", 1);
        var key = KeyOf(manager, id);
        var stored = (await _memory.ReadAsync(key, Token))!;
        await _memory.ReplaceAsync(key, stored, new SessionRecord(System.Text.Encoding.UTF8.GetBytes(planted), stored.ExpiresAt), Token);
        await Assert.ThrowsAsync<SessionStoreException>(async () => await manager.CommitAsync(session, Token));
        Assert.Equal(planted, System.Text.Encoding.UTF8.GetString((await _memory.ReadAsync(key, Token))!.Document.Span));
    }

    [Fact]
    public async Task V19_An_id_opens_nothing_in_another_application_on_the_same_store()
    {
        var manager = Manager();
        var id = await StoredAsync(manager);
        Assert.Null(await Manager(options: options => options.ApplicationName = "another").LoadAsync(id, Token));
        Assert.NotNull(await manager.LoadAsync(id, Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("cookie")]
    [InlineData("__proto__")]
    [InlineData("_sojourn")]
    [InlineData("$x")]
    public void Names_that_no_entry_can_have_are_refused_at_the_call(string name)
    {
        var session = Manager().Create();
        Assert.Throws<ArgumentException>(() => session.Set(name, 1));
        Assert.Throws<ArgumentException>(() => session.Get<int>(name));
        Assert.Throws<ArgumentException>(() => session.Set(new string('n', 257), 1));
    }

    private static async Task ChangeAsync(SessionManager manager, string id, Action<Session> change)
    {
        var session = await LoadedAsync(manager, id);
        change(session);
        await Task.Yield();
        await manager.CommitAsync(session, Token);
    }

    private static async Task<Session> LoadedAsync(SessionManager manager, string id) =>
        await manager.LoadAsync(id, Token) ?? throw new InvalidOperationException("The session is gone.");

    private static async Task<string> StoredAsync(SessionManager manager)
    {
        var session = manager.Create();
        session.Set("seed", 1);
        await manager.CommitAsync(session, Token);
        return session.Id;
    }

    private static string KeyOf(SessionManager manager, string id) => manager.KeyOf(id);

    private SessionManager Manager(ISessionStore? store = null, Action<SojournOptions>? options = null, TimeProvider? time = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton(time ?? _time);
        services.AddSojournCore().UseStore(_ => store ?? _memory);
        services.Configure<SojournOptions>(o =>
        {
            o.ApplicationName = "tests";
            options?.Invoke(o);
        });
        return services.BuildServiceProvider().GetRequiredService<SessionManager>();
    }

    /// <summary>A clock that leaps by the idle timeout, once: between two looks at it.</summary>
    private sealed class LeapingClock : TimeProvider
    {
        private DateTimeOffset _now = DateTimeOffset.UnixEpoch.AddYears(60);
        private int? _looksLeft;
        private bool _hasLeapt;

        public void LeapAt(int look) => _looksLeft = look;

        public void LeapNow()
        {
            if (!_hasLeapt)
            {
                _hasLeapt = true;
                _now += TimeSpan.FromMinutes(20);
            }
        }

        public override DateTimeOffset GetUtcNow()
        {
            if (_looksLeft is { } left && (_looksLeft = left - 1) == 0)
            {
                LeapNow();
            }

            return _now;
        }
    }

    private sealed class Cart
    {
        public string? Owner { get; set; }

        public List<string> Items { get; set; } = [];
    }

    /// <summary>Another process writes the session just before each of the first replaces.</summary>
    private sealed class OvertakingStore(ISessionStore inner, int times) : BareStore(inner)
    {
        public int Replaced { get; private set; }

        public override async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        {
            if (++Replaced <= times)
            {
                var theirs = await Inner.ReadAsync(key, cancellationToken);
                await Inner.ReplaceAsync(key, theirs!, theirs!, cancellationToken);
            }

            return await Inner.ReplaceAsync(key, current, next, cancellationToken);
        }
    }
}
