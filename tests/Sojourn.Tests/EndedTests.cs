using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Diagnostics;
using Sojourn.Storage;
using Sojourn.Testing;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>The token that is cancelled when a session ends: in the process that ends it, and in another one that only shares the store.</summary>
public sealed class EndedTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(7);

    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();
    private readonly FaultInjectingStore _looks;
    private readonly TellingStore _telling;
    private readonly Engine _here;
    private readonly Engine _there;

    public EndedTests()
    {
        _looks = new FaultInjectingStore(_memory);
        _telling = new TellingStore(_looks);
        _here = NewEngine(_looks);
        _there = NewEngine(_memory);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_ends_a_session_in_this_process_is_noticed_at_once()
    {
        var ways = new Dictionary<string, Func<Session, Task>>
        {
            ["destroyed"] = async session => await (await _here.LoadAsync(session.Id)).DestroyAsync(Token),
            ["regenerated"] = async session => await (await _here.LoadAsync(session.Id)).RegenerateAsync(Token),
            ["by handle"] = async session => await _here.Administration.EndAsync(new SessionFilter { Handle = session.Handle }, cancellationToken: Token),
            ["by subject"] = async _ => await _here.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token),
            ["from another device"] = async _ => await _here.Administration.EndOthersAsync(await _here.SignInAsync("ada"), cancellationToken: Token),
            ["everything"] = async _ => await _here.Administration.EndEverythingAsync(cancellationToken: Token),
            ["another user"] = async session => await (await _here.LoadAsync(session.Id)).SignInAsync("bob", cancellationToken: Token),
        };
        foreach (var (way, end) in ways)
        {
            var session = await _here.SignInAsync("ada");
            var ended = (await _here.LoadAsync(session.Id)).Ended;
            await LookedAsync();
            Assert.False(ended.IsCancellationRequested, way);
            await end(session);
            Assert.True(ended.IsCancellationRequested, way);
        }
    }

    [Fact]
    public async Task A_session_that_has_to_go_for_a_new_one_has_ended()
    {
        var engine = NewEngine(_memory, o => o.MaxSessionsPerSubject = 1);
        var ended = (await engine.LoadAsync((await engine.SignInAsync("ada")).Id)).Ended;
        await engine.SignInAsync("ada");
        Assert.True(ended.IsCancellationRequested);
    }

    [Fact]
    public async Task A_new_id_in_this_process_is_no_end_and_the_end_under_it_is()
    {
        var session = await NewNamelessAsync();
        var ended = (await _here.LoadAsync(session.Id)).Ended;
        await LookedAsync();
        await session.RenewIdAsync(Token);
        await LookedAsync();
        await session.SignInAsync("ada", cancellationToken: Token);
        await LookedAsync();
        Assert.False(ended.IsCancellationRequested);
        await _there.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token);
        _time.Advance(Interval * 2);
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_new_id_from_another_process_is_no_end_and_the_end_under_it_is()
    {
        var session = await _here.SignInAsync("ada");
        var ended = session.Ended;
        await LookedAsync();
        var elsewhere = await _there.LoadAsync(session.Id);
        for (var i = 0; i < 2; i++)
        {
            await elsewhere.RenewIdAsync(Token);
            _time.Advance(Interval * 2);
            await LookedAsync(2);
            Assert.False(ended.IsCancellationRequested);
        }

        await (await _there.LoadAsync(elsewhere.Id)).DestroyAsync(Token);
        _time.Advance(Interval * 2);
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_session_without_a_name_cannot_be_followed_to_an_id_from_another_process()
    {
        var session = await NewNamelessAsync();
        var ended = session.Ended;
        await LookedAsync();
        await (await _there.LoadAsync(session.Id)).RenewIdAsync(Token);
        _time.Advance(Interval * 2);
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task Where_the_store_does_not_tell_the_record_is_read_once_an_interval()
    {
        var session = await _here.SignInAsync("ada");
        var (first, second) = ((await _here.LoadAsync(session.Id)).Ended, (await _here.LoadAsync(session.Id)).Ended);
        await LookedAsync();
        _looks.ResetCounts();
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await WaitUntilAsync(() => _looks.CallsOf(StoreVerb.Read) > 0);
        await Task.Delay(50, Token);
        Assert.Equal(1, _looks.CallsOf(StoreVerb.Read));
        await (await _there.LoadAsync(session.Id)).DestroyAsync(Token);
        Assert.False(first.IsCancellationRequested);
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await CancelledAsync(first);
        await CancelledAsync(second);
    }

    [Fact]
    public async Task What_ended_between_the_loading_and_the_question_is_noticed_by_the_first_look()
    {
        var here = NewEngine(_telling);
        var session = await here.LoadAsync((await here.SignInAsync("ada")).Id);
        await (await _there.LoadAsync(session.Id)).DestroyAsync(Token);
        await CancelledAsync(session.Ended);
    }

    [Fact]
    public async Task Where_the_store_tells_nothing_is_read_but_when_it_does()
    {
        var here = NewEngine(_telling);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await SubscribedAsync();
        _looks.ResetCounts();
        _time.Advance(Interval * 10);
        await (await _there.LoadAsync(session.Id)).DestroyAsync(Token);
        _time.Advance(Interval * 10);
        await Task.Delay(50, Token);
        Assert.False(ended.IsCancellationRequested);
        Assert.Equal(0, _looks.CallsOf(StoreVerb.Read));
        _telling.Tell(SessionNotificationKind.Ended, session.Key);
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_new_id_that_the_store_tells_as_an_end_is_followed()
    {
        var here = NewEngine(_telling);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await SubscribedAsync();
        var elsewhere = await _there.LoadAsync(session.Id);
        var oldKey = session.Key;
        await elsewhere.RenewIdAsync(Token);
        _looks.ResetCounts();
        _telling.Tell(SessionNotificationKind.Ended, oldKey);
        await LookedAsync(2);
        Assert.False(ended.IsCancellationRequested);
        await elsewhere.DestroyAsync(Token);
        _telling.Tell(SessionNotificationKind.Ended, elsewhere.Key);
        await CancelledAsync(ended);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_id_that_renewed_itself_is_no_end_and_the_end_under_the_new_one_is_noticed_as_soon(bool isHere)
    {
        var here = NewEngine(_telling, Renewing);
        var renewing = isHere ? here : NewEngine(_memory, Renewing);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await SubscribedAsync();
        _time.Advance(TimeSpan.FromMinutes(6));
        _looks.ResetCounts();
        var renewed = (await renewing.Sessions.LoadAsync(session.Id, renewing.Sessions.KeyOf(session.Id), new Visit(_time), isCopyEnough: true, Token))!;
        await renewing.Sessions.CommitAsync(renewed, Token);
        Assert.NotEqual(session.Id, renewed.Id);
        if (!isHere)
        {
            _telling.Tell(SessionNotificationKind.Changed, session.Key);
            await LookedAsync(2);
        }

        Assert.False(ended.IsCancellationRequested);
        await (await _there.LoadAsync(renewed.Id)).DestroyAsync(Token);
        _telling.Tell(SessionNotificationKind.Ended, renewed.Key);
        await CancelledAsync(ended);

        static void Renewing(SojournOptions o) => (o.RenewIdAfter, o.Secrets) = (TimeSpan.FromMinutes(5), ["a secret of the tests"]);
    }

    [Fact]
    public async Task News_that_may_have_been_missed_is_made_up_for_by_looking()
    {
        var here = NewEngine(_telling);
        var (one, other) = (await here.SignInAsync("ada"), await here.SignInAsync("bob"));
        var (ended, lives) = (one.Ended, other.Ended);
        await SubscribedAsync(watched: 2);
        await (await _there.LoadAsync(one.Id)).DestroyAsync(Token);
        _telling.Tell(SessionNotificationKind.Missed);
        await CancelledAsync(ended);
        Assert.False(lives.IsCancellationRequested);
    }

    [Fact]
    public async Task While_nobody_can_subscribe_records_are_read()
    {
        _telling.FailuresLeft = int.MaxValue;
        var here = NewEngine(_telling);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await LookedAsync();
        await (await _there.LoadAsync(session.Id)).DestroyAsync(Token);
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await CancelledAsync(ended);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_deadline_that_passes_is_the_end_and_one_that_others_moved_is_not(bool isTold)
    {
        var here = NewEngine(isTold ? _telling : _looks);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await (isTold ? SubscribedAsync() : LookedAsync());

        _time.Advance(TimeSpan.FromMinutes(19));
        await _there.Sessions.CommitAsync(await _there.LoadAsync(session.Id), Token);
        _looks.ResetCounts();
        _time.Advance(TimeSpan.FromMinutes(1) + Interval);
        await LookedAsync();
        Assert.False(ended.IsCancellationRequested);
        _time.Advance(TimeSpan.FromMinutes(20));
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_deadline_that_was_shortened_is_noticed()
    {
        var here = NewEngine(_telling);
        var session = await here.SignInAsync("ada");
        var ended = session.Ended;
        await SubscribedAsync();
        var stored = (await _memory.ReadAsync(session.Key, Token))!;
        var next = new SessionRecord(stored.Document, _time.GetUtcNow() + TimeSpan.FromMinutes(1), stored.Labels);
        Assert.Equal(WriteOutcome.Done, (await _memory.ReplaceAsync(session.Key, stored, next, Token)).Outcome);
        _looks.ResetCounts();
        _telling.Tell(SessionNotificationKind.Changed, session.Key);
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await LookedAsync();
        Assert.False(ended.IsCancellationRequested);
        _time.Advance(TimeSpan.FromMinutes(1));
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_store_that_fails_is_no_end_and_is_asked_again()
    {
        var log = new FakeLogCollector();
        var here = NewEngine(_looks, log: log);
        var session = await here.SignInAsync("ada");
        _looks.On(StoreVerb.Read).Fail();
        var ended = session.Ended;
        for (var i = 0; i < 3; i++)
        {
            await LookedAsync();
            _time.Advance(Interval + TimeSpan.FromSeconds(1));
        }

        Assert.False(ended.IsCancellationRequested);
        Assert.Single(log.GetSnapshot(), entry => entry.Level == LogLevel.Warning);
        _looks.Clear();
        await (await _there.LoadAsync(session.Id)).DestroyAsync(Token);
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await CancelledAsync(ended);
    }

    [Fact]
    public async Task A_session_is_watched_from_when_it_is_stored()
    {
        var (stored, unstored) = (_here.Sessions.Create(), _here.Sessions.Create());
        var (ended, gone) = (stored.Ended, unstored.Ended);
        stored.Set("cart", "tea");
        await _here.Sessions.CommitAsync(stored, Token);
        await LookedAsync();
        await (await _there.LoadAsync(stored.Id)).DestroyAsync(Token);
        _time.Advance(Interval + TimeSpan.FromSeconds(1));
        await CancelledAsync(ended);
        Assert.False(gone.IsCancellationRequested);
        await unstored.DestroyAsync(Token);
        Assert.True(gone.IsCancellationRequested);
        Assert.True(unstored.Ended.IsCancellationRequested);
    }

    [Fact]
    public async Task After_a_regeneration_the_token_is_that_of_the_new_session()
    {
        var session = await _here.SignInAsync("ada");
        var before = session.Ended;
        await session.RegenerateAsync(Token);
        Assert.True(before.IsCancellationRequested);
        Assert.False(session.Ended.IsCancellationRequested);
    }

    [Fact]
    public async Task A_connection_that_keeps_the_session_alive_does_so_until_the_absolute_deadline_and_another_does_not()
    {
        var here = NewEngine(_looks, o => o.AbsoluteTimeout = TimeSpan.FromHours(2));
        var (kept, left) = (await here.SignInAsync("ada"), await here.SignInAsync("bob"));
        var (keptEnded, leftEnded) = (kept.Ended, left.Ended);
        var keeper = kept.KeepAlive();
        await MinutesAsync(60);
        Assert.True(await here.IsAliveAsync(kept));
        Assert.False(keptEnded.IsCancellationRequested);
        Assert.True(leftEnded.IsCancellationRequested);

        await MinutesAsync(70);
        Assert.True(keptEnded.IsCancellationRequested);
        keeper.Dispose();
    }

    [Fact]
    public async Task Nothing_keeps_a_session_alive_whose_keeper_is_gone()
    {
        var session = await _here.SignInAsync("ada");
        var keeper = session.KeepAlive();
        await MinutesAsync(30);
        Assert.False(session.Ended.IsCancellationRequested);
        keeper.Dispose();
        keeper.Dispose();
        await MinutesAsync(25);
        Assert.True(session.Ended.IsCancellationRequested);
    }

    [Fact]
    public async Task O23_What_is_no_activity_reads_and_writes_and_does_not_move_the_deadline()
    {
        var session = await _here.SignInAsync("ada");
        var deadline = (await _here.LoadAsync(session.Id)).ExpiresAt;
        for (var minute = 5; minute < 20; minute += 5)
        {
            _time.Advance(TimeSpan.FromMinutes(5));
            var background = await _here.LoadAsync(session.Id);
            background.CountsAsActivity = false;
            background.Set("seen", minute);
            await _here.Sessions.CommitAsync(background, Token);
            await _here.Sessions.CommitAsync(background, Token);
            var stored = await _here.LoadAsync(session.Id);
            Assert.Equal((deadline, minute), (stored.ExpiresAt, stored.Get<int>("seen")));
        }

        var signsIn = await _here.LoadAsync(session.Id);
        signsIn.CountsAsActivity = false;
        await signsIn.SignInAsync("ada", cancellationToken: Token);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(20), (await _here.LoadAsync(signsIn.Id)).ExpiresAt);

        _time.Advance(TimeSpan.FromMinutes(20));
        Assert.False(await _here.IsAliveAsync(signsIn));
    }

    /// <summary>
    /// Renewals, ends and connections that come and go, all at once: who waits for what has ended is told, nobody else is, and nothing is left behind.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whatever_happens_at_once_those_whose_session_ended_are_told_and_nobody_else(bool isTold)
    {
        await using var provider = Services(
            isTold ? _telling : _memory, o => o.EndedCheckInterval = TimeSpan.FromMilliseconds(100), TimeProvider.System).BuildServiceProvider();
        using var watched = new MetricCollector<long>(
            provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), SojournDiagnostics.MeterName, "sojourn.sessions.watched");
        var here = provider.GetRequiredService<SessionManager>();
        var there = new Engine(_memory, TimeProvider.System);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(number => Task.Run(
            async () =>
            {
                var session = here.Create();
                await session.SignInAsync($"user{number}", cancellationToken: Token);
                var ended = session.Ended;
                using (var leaves = session.WatchApart())
                {
                    for (var step = 0; step < 1 + (number % 5); step++)
                    {
                        var manager = (number + step) % 2 == 0 ? here : there.Sessions;
                        var key = session.Key;
                        session = (await manager.LoadAsync(session.Id, Token))!;
                        await session.RenewIdAsync(Token);
                        if (isTold)
                        {
                            _telling.Tell(SessionNotificationKind.Ended, key);
                        }

                        await Task.Yield();
                    }
                }

                if (number % 2 == 0)
                {
                    await (await (number % 4 == 0 ? here : there.Sessions).LoadAsync(session.Id, Token))!.DestroyAsync(Token);
                    if (isTold)
                    {
                        _telling.Tell(SessionNotificationKind.Ended, session.Key);
                    }
                }

                return (ended, IsOver: number % 2 == 0);
            },
            Token)));
        foreach (var (ended, _) in outcomes.Where(static outcome => outcome.IsOver))
        {
            await CancelledAsync(ended);
        }

        Assert.All(outcomes, static outcome => Assert.Equal(outcome.IsOver, outcome.ended.IsCancellationRequested));
        Assert.Equal(100, watched.GetMeasurementSnapshot().Sum(static measured => measured.Value));

        // One that has its id from elsewhere may still be waited for under the one before, and is found out by the next look.
        await provider.GetRequiredService<ISessionAdministration>().EndEverythingAsync(cancellationToken: Token);
        await WaitUntilAsync(() => watched.GetMeasurementSnapshot().Sum(static measured => measured.Value) == 0);
    }

    [Fact]
    public async Task A_callback_that_throws_is_logged_and_others_are_called()
    {
        var log = new FakeLogCollector();
        var here = NewEngine(_looks, log: log);
        var session = await here.SignInAsync("ada");
        var called = new TaskCompletionSource();
        session.Ended.Register(called.SetResult);
        session.Ended.Register(static () => throw new InvalidTimeZoneException());
        await session.DestroyAsync(Token);
        await called.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await WaitUntilAsync(() => log.GetSnapshot().Any(entry => entry.Level == LogLevel.Error && entry.Exception is AggregateException));
    }

    [Fact]
    public async Task What_is_watched_is_counted_and_nothing_is_where_nobody_asks()
    {
        var services = Services(_looks);
        await using var provider = services.BuildServiceProvider();
        using var watched = new MetricCollector<long>(
            provider.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), SojournDiagnostics.MeterName, "sojourn.sessions.watched");
        var sessions = provider.GetRequiredService<SessionManager>();
        var session = sessions.Create();
        await session.SignInAsync("ada", cancellationToken: Token);
        _time.Advance(Interval * 3);
        Assert.Empty(watched.GetMeasurementSnapshot());
        _ = session.Ended;
        _ = (await sessions.LoadAsync(session.Id, Token))!.Ended;
        Assert.Equal(2, watched.GetMeasurementSnapshot().Sum(static measured => measured.Value));
        await session.DestroyAsync(Token);
        Assert.Equal(0, watched.GetMeasurementSnapshot().Sum(static measured => measured.Value));
    }

    [Theory]
    [InlineData(99)]
    [InlineData(3_600_001)]
    public async Task The_interval_has_a_range(int milliseconds)
    {
        await using var provider = Services(_memory, o => o.EndedCheckInterval = TimeSpan.FromMilliseconds(milliseconds)).BuildServiceProvider();
        var refused = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<SessionManager>());
        Assert.Contains("EndedCheckInterval must be", refused.Message, StringComparison.Ordinal);
    }

    private Engine NewEngine(ISessionStore store, Action<SojournOptions>? options = null, FakeLogCollector? log = null) => new(
        store,
        _time,
        o =>
        {
            o.EndedCheckInterval = Interval;
            options?.Invoke(o);
        },
        services: services =>
        {
            if (log is not null)
            {
                services.AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(log)));
            }
        });

    private ServiceCollection Services(ISessionStore store, Action<SojournOptions>? options = null, TimeProvider? time = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton(time ?? _time);
        services.AddSojournCore().UseStore(_ => store);
        services.Configure<SojournOptions>(o =>
        {
            (o.ApplicationName, o.EndedCheckInterval) = ("tests", Interval);
            options?.Invoke(o);
        });
        return services;
    }

    private async Task<Session> NewNamelessAsync()
    {
        var session = _here.Sessions.Create();
        session.Set("cart", "tea");
        await _here.Sessions.CommitAsync(session, Token);
        return session;
    }

    /// <summary>Lets time pass as it does, so that what is done now and then is done.</summary>
    private async Task MinutesAsync(int minutes)
    {
        for (var i = 0; i < minutes * 2; i++)
        {
            _looks.ResetCounts();
            _time.Advance(TimeSpan.FromSeconds(30));
            for (var wait = 0; wait < 20 && _looks.Calls == 0; wait++)
            {
                await Task.Delay(1, Token);
            }
        }

        await Task.Delay(20, Token);
    }

    /// <summary>Waits until the watched sessions have been read so often since the counts began, or were last asked for.</summary>
    private async Task LookedAsync(int times = 1)
    {
        await WaitUntilAsync(() => _looks.CallsOf(StoreVerb.Read) >= times);
        _looks.ResetCounts();

        // The reading is answered at once; what follows from it takes a moment.
        await Task.Delay(20, Token);
    }

    /// <summary>Waits until the store tells, and what was watched before was looked at once more.</summary>
    private async Task SubscribedAsync(int watched = 1)
    {
        await WaitUntilAsync(() => _telling.Subscribers == 1);
        await WaitUntilAsync(() => _looks.CallsOf(StoreVerb.Read) >= watched);
        await Task.Delay(50, Token);
    }

    private static async Task CancelledAsync(CancellationToken ended)
    {
        await WaitUntilAsync(() => ended.IsCancellationRequested);
    }

    private static async Task WaitUntilAsync(Func<bool> isDone)
    {
        for (var i = 0; !isDone(); i++)
        {
            Assert.True(i < 1_500, "It did not happen.");
            await Task.Delay(20, Token);
        }
    }
}
