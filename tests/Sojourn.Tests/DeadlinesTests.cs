using CsCheck;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>When a session ends, when its expiry is moved, and until when neither needs to be thought of.</summary>
public sealed class DeadlinesTests
{
    private static readonly DateTimeOffset Start = Engine.NewClock().GetUtcNow();

    [Fact]
    public void While_a_record_is_quiet_it_is_alive_and_no_touch_is_due()
    {
        var seconds = Gen.Int[1, 4_000].Select(s => TimeSpan.FromSeconds(s));
        Gen.Select(seconds, seconds, seconds, Gen.Bool, Gen.Int[0, 4_000]).Sample(
            (lifetime, interval, absolute, hasAbsolute, passed) =>
            {
                DateTimeOffset? end = hasAbsolute ? Start + absolute : null;
                var stored = Deadlines.ExpiresAt(Start, lifetime, end);
                var until = Deadlines.QuietUntil(stored, lifetime, interval, end);
                foreach (var now in new[] { Start.AddSeconds(passed), until.AddTicks(-1) })
                {
                    Assert.True(now >= until || (now < stored && !(end <= now)));
                    Assert.False(now < until && Deadlines.TouchIsDue(stored, Deadlines.ExpiresAt(now, lifetime, end), interval));
                }
            });
    }

    [Fact]
    public void A_record_is_quiet_until_the_touch_is_due_or_the_session_ends()
    {
        var stored = Start.AddMinutes(20);
        Assert.Equal(Start.AddMinutes(1), Deadlines.QuietUntil(stored, TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(1), null));
        Assert.Equal(Start.AddSeconds(9), Deadlines.QuietUntil(stored, TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(1), Start.AddSeconds(9)));
        Assert.Equal(stored, Deadlines.QuietUntil(stored, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1), null));
        Assert.True(Deadlines.QuietUntil(stored, TimeSpan.FromMinutes(20), TimeSpan.Zero, null) <= Start);
    }

    /// <summary>Read all the time, so that it is quiet most of it: touched as ever, alive as ever, and at its end as ever.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData(0)]
    [InlineData(90)]
    public async Task A_session_that_is_read_all_the_time_is_kept_alive_and_ends_at_its_absolute_deadline(int? touchSeconds)
    {
        var clock = Engine.NewClock();
        var store = new MemorySessionStore(timeProvider: clock);
        var engine = new Engine(store, clock, o =>
        {
            o.IdleTimeout = TimeSpan.FromMinutes(10);
            o.AbsoluteTimeout = TimeSpan.FromMinutes(45);
            o.TouchInterval = touchSeconds is { } touch ? TimeSpan.FromSeconds(touch) : null;
        });
        var interval = TimeSpan.FromSeconds(touchSeconds ?? 30);
        var session = await engine.NewBusyAsync("alice");
        var end = clock.GetUtcNow().AddMinutes(45);
        while (clock.GetUtcNow() < end - interval)
        {
            var found = HeldRecordTests.Find(engine, session)!;
            await engine.Sessions.CommitAsync(found, TestContext.Current.CancellationToken);
            var stored = await store.ReadAsync(session.Key, TestContext.Current.CancellationToken);
            Assert.InRange(stored!.ExpiresAt, Deadlines.ExpiresAt(clock.GetUtcNow(), TimeSpan.FromMinutes(10), end) - interval, end);
            clock.Advance(TimeSpan.FromSeconds(7));
        }

        clock.Advance(interval + TimeSpan.FromSeconds(7));
        Assert.Null(HeldRecordTests.Find(engine, session));
        Assert.False(await engine.IsAliveAsync(session));
    }
}
