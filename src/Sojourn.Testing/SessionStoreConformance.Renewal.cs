using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Testing;

/// <content>Ids that renew themselves, by the engine, in two processes on one store.</content>
public abstract partial class SessionStoreConformance
{
    private static readonly TimeSpan RenewAfter = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Requests that come with one id at the moment when it is renewed: all of them find the session and none of their work is lost, they learn of one new id
    /// and no other, and after the grace the old one answers nothing and is noticed.
    /// </summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A29_Of_parallel_requests_one_renews_the_id_and_all_go_on_under_it()
    {
        const int Writers = 3;
        await using var visits = NewVisits();
        for (var round = 0; round < RaceRounds; round++)
        {
            var (old, handle) = await visits.BeginAsync(round);
            visits.Clock.Advance(RenewAfter);
            var isLate = round % 3 == 0;
            var sessions = isLate ? await visits.LoadAllAsync(old, Writers + 1) : [];
            var ids = await RaceAsync<string>(Enumerable.Range(0, Writers + 1).Select<int, Func<ISessionStore, ValueTask<string>>>(i => async _ =>
            {
                var session = isLate ? sessions[i] : await visits.LoadAsync(old, i);
                if (i < Writers)
                {
                    session.Set($"writer{i}", i);
                    session.Update<int>("count", count => count + 1);
                }

                await visits[i].CommitAsync(session, Cancel);
                Assert.Equal(SessionState.Live, session.State);
                return session.KnownId;
            }));
            var renewed = Assert.Single(ids.Where(id => id != old).Distinct());
            foreach (var (id, process) in ((string, int)[])[(renewed, 0), (renewed, 1), (old, 0), (old, 1)])
            {
                var session = await visits.LoadAsync(id, process);
                Assert.Equal((renewed, handle, Writers), (session.KnownId, session.KnownHandle, session.Get<int>("count")));
                Assert.All(Enumerable.Range(0, Writers), i => Assert.Equal(i, session.Get<int>($"writer{i}")));
            }

            Assert.Single(await visits.Index.FindAsync("handle:" + handle, Cancel));
            visits.Clock.Advance(Grace);
            visits.Log.Clear();
            Assert.Null(await visits.FindAsync(old, round));
            Assert.NotNull(await visits.FindAsync(renewed, round));
            var noticed = Assert.Single(visits.Log.Events);
            Assert.Equal((SessionEventKind.Suspicious, SessionSuspicion.DeadId, handle), (noticed.Kind, noticed.Suspicion, noticed.Handle));
        }
    }

    /// <summary>A session that is destroyed, or ended from elsewhere, while its id is renewed has ended: nothing of it lives on, under whichever id.</summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A10_A_session_that_ends_while_its_id_is_renewed_has_ended()
    {
        await using var visits = NewVisits();
        for (var round = 0; round < RaceRounds; round++)
        {
            var (old, handle) = await visits.BeginAsync(round);
            visits.Clock.Advance(RenewAfter);
            var sessions = await visits.LoadAllAsync(old, 3);
            visits.Log.Clear();
            var isDestroyed = round % 2 == 0;
            await RaceAsync<bool>(
            [
                async _ => await CommitAsync(0),
                async _ =>
                {
                    sessions[1].Set("late", true);
                    return await CommitAsync(1);
                },
                async _ =>
                {
                    if (isDestroyed) await sessions[2].DestroyAsync(Cancel);
                    else await visits.Administration(2).EndAsync(new SessionFilter { Handle = handle }, cancellationToken: Cancel);
                    return true;
                },
            ]);
            Assert.Empty(await visits.Index.FindAsync("handle:" + handle, Cancel));
            Assert.Single(visits.Log.Events, told => told.Kind == SessionEventKind.Ended);
            foreach (var id in sessions.Select(session => session.KnownId).Append(old).Distinct())
            {
                Assert.Null(await visits.FindAsync(id, round));
            }

            async Task<bool> CommitAsync(int i)
            {
                try
                {
                    await visits[i].CommitAsync(sessions[i], Cancel);
                    return true;
                }
                catch (SessionEndedException)
                {
                    return false;
                }
            }
        }
    }

    /// <summary>
    /// Whoever signs in while the old id is renewed is signed in, and neither the old id nor the one that it was renewed to finds their session: there is no
    /// grace across a sign-in.
    /// </summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A7_No_id_from_before_a_sign_in_finds_the_session_while_ids_renew_themselves()
    {
        await using var visits = NewVisits();
        for (var round = 0; round < RaceRounds; round++)
        {
            var (old, _) = await visits.BeginAsync(round);
            visits.Clock.Advance(RenewAfter);
            var sessions = await visits.LoadAllAsync(old, 2);
            var subject = NewKey();
            var before = await RaceAsync<string>(
            [
                async _ =>
                {
                    await visits[0].CommitAsync(sessions[0], Cancel);
                    return sessions[0].KnownId;
                },
                async _ =>
                {
                    await sessions[1].SignInAsync(subject, cancellationToken: Cancel);
                    return old;
                },
            ]);
            Assert.Equal(subject, (await visits.LoadAsync(sessions[1].KnownId, round)).Subject);
            Assert.Single(await visits.Index.FindAsync("subject:" + subject, Cancel));
            foreach (var id in before.Distinct())
            {
                Assert.Null(await visits.FindAsync(id, round));
            }
        }
    }

    private Visits NewVisits() => new(this);

    /// <summary>The engine in two processes whose sessions renew their ids, and requests that can send new ones.</summary>
    private sealed class Visits : ISessionHost, IAsyncDisposable
    {
        private readonly Processes _processes;

        public Visits(SessionStoreConformance suite) => _processes = suite.NewProcesses(
            options =>
                (options.Secrets, options.RenewIdAfter, options.RenewalGrace, options.IdleTimeout) =
                    (["a secret of the suite's"], RenewAfter, Grace, TimeSpan.FromDays(30)),
            services => services.AddSingleton<TimeProvider>(Clock).AddSingleton<ISessionEventHandler>(Log));

        public ShiftedClock Clock { get; } = new();

        public EventList Log { get; } = new();

        public ISessionIndex Index => _processes.Index;

        public bool CanSendCookie => true;

        public bool CanRenewId => true;

        public DateTimeOffset? BeganAt => null;

        public SessionDevice? Device => null;

        public SessionManager this[int i] => _processes[i].Sessions;

        public ISessionAdministration Administration(int i) => _processes[i].Administration;

        public async Task<(string Id, string Handle)> BeginAsync(int process)
        {
            var session = this[process].Create(this);
            session.Set("count", 0);
            await this[process].CommitAsync(session, Cancel);
            return (session.KnownId, session.KnownHandle!);
        }

        public ValueTask<Session?> FindAsync(string id, int process) => this[process].LoadAsync(id, this[process].KeyOf(id), this, isCopyEnough: true, Cancel);

        public async Task<Session> LoadAsync(string id, int process) => Assert.IsType<Session>(await FindAsync(id, process));

        /// <summary>A session that each of several requests has loaded.</summary>
        public async Task<List<Session>> LoadAllAsync(string id, int requests)
        {
            var sessions = new List<Session>();
            for (var i = 0; i < requests; i++) sessions.Add(await LoadAsync(id, i));
            return sessions;
        }

        public void OnUsed()
        {
        }

        public string NewId() => SessionId.New();

        public SessionCookie NewCookie() => this[0].Options.Cookie.ToSessionCookie(isSecure: true, Clock);

        public ValueTask DisposeAsync() => _processes.DisposeAsync();
    }

    /// <summary>The system's clock, ahead of it by what was let pass.</summary>
    private sealed class ShiftedClock : TimeProvider
    {
        private long _ahead;

        public void Advance(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _ahead));
    }

    /// <summary>What was told.</summary>
    private sealed class EventList : ISessionEventHandler
    {
        private readonly List<SessionEvent> _events = [];

        public IReadOnlyList<SessionEvent> Events
        {
            get
            {
                lock (_events) return [.. _events];
            }
        }

        public void Clear()
        {
            lock (_events) _events.Clear();
        }

        public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
        {
            lock (_events) _events.Add(sessionEvent);
            return default;
        }
    }
}
