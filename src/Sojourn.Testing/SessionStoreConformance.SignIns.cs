using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Storage;

namespace Sojourn.Testing;

/// <content>Sign-in, renewal and the end of all sessions of a subject, by the engine, in two processes on one store.</content>
public abstract partial class SessionStoreConformance
{
    /// <summary>
    /// A password is changed, then all sessions of its user end: no sign-in that was proved with the old password outlives that, in whatever order.
    /// </summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A11_V17_No_sign_in_by_an_old_password_outlives_the_end_of_all_sessions()
    {
        await using var processes = NewProcesses();
        for (var round = 0; round < RaceRounds; round++)
        {
            var subject = NewKey();
            var password = 0;
            var signIns = Enumerable.Range(0, 3).Select(async i =>
            {
                await Task.Yield();
                var provedAt = Now;
                var seen = Volatile.Read(ref password);
                var session = processes[i].Sessions.Create();
                session.Set("password", seen);
                try
                {
                    await session.SignInAsync(subject, new SessionSignIn { ProvedAt = provedAt }, Cancel);
                }
                catch (SessionEndedException)
                {
                    // Undone.
                }
            }).ToList();
            var end = Task.Run(async () =>
            {
                Volatile.Write(ref password, 1);
                await processes[round].Administration.EndAsync(new SessionFilter { Subject = subject }, cancellationToken: Cancel);
            }, Cancel);
            await Task.WhenAll([.. signIns, end]);
            foreach (var (_, record) in await processes.Index.FindAsync("subject:" + subject, Cancel))
            {
                Assert.Contains("\"password\":1", System.Text.Encoding.UTF8.GetString(record.Document.Span), StringComparison.Ordinal);
            }
        }
    }

    /// <summary>
    /// A session whose id is renewed again and again ends with all of its subject's, or by its handle, and does not come back under a new id.
    /// </summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A_session_that_renews_its_id_meanwhile_ends_all_the_same()
    {
        await using var processes = NewProcesses();
        for (var round = 0; round < RaceRounds; round++)
        {
            var (subject, user) = (NewKey(), processes[round].Sessions);
            var session = user.Create();
            await session.SignInAsync(subject, cancellationToken: Cancel);
            var filter = round % 2 == 0 ? new SessionFilter { Subject = subject } : new SessionFilter { Handle = session.Handle };
            var renewals = Task.Run(async () =>
            {
                try
                {
                    for (var i = 0; i < 20; i++)
                    {
                        await session.RenewIdAsync(Cancel);
                    }
                }
                catch (SessionEndedException)
                {
                    // Just so.
                }
            }, Cancel);
            await Task.WhenAll(renewals, Task.Run(() => processes[round + 1].Administration.EndAsync(filter, cancellationToken: Cancel).AsTask(), Cancel));
            await CatchUpAsync();
            Assert.Null(await user.LoadAsync(session.Id, Cancel));
            Assert.Empty(await processes.Index.FindAsync("subject:" + subject, Cancel));
        }
    }

    /// <summary>A limit holds at every instant, and the last to sign in are the ones who stay.</summary>
    /// <returns>When it is checked.</returns>
    [Fact]
    public async Task A2_O28_A_subject_never_has_more_sessions_than_they_may()
    {
        const int Limit = 2;
        await using var processes = NewProcesses(options => options.MaxSessionsPerSubject = Limit);
        for (var round = 0; round < Math.Max(RaceRounds / 10, 1); round++)
        {
            var subject = NewKey();
            var signIns = Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
            {
                var session = processes[i].Sessions.Create();
                await session.SignInAsync(subject, cancellationToken: Cancel);
            }, Cancel)).ToList();
            var all = Task.WhenAll(signIns);
            while (!all.IsCompleted)
            {
                Assert.True((await processes[0].Administration.ListAsync(subject, cancellationToken: Cancel)).Count <= Limit);
            }

            await all;
            Assert.Equal(Limit, (await processes[0].Administration.ListAsync(subject, cancellationToken: Cancel)).Count);
        }
    }

    private Processes NewProcesses(Action<SojournOptions>? configure = null, Action<IServiceCollection>? services = null)
    {
        _ = LabelIndex;
        _ = Subjects;
        return new Processes(_stores, configure, services);
    }

    /// <summary>The engine in as many processes as there are instances of the store, and twice in one where there is but one.</summary>
    private sealed class Processes : IAsyncDisposable
    {
        private readonly List<ServiceProvider> _processes;

        public Processes(List<ISessionStore> stores, Action<SojournOptions>? configure, Action<IServiceCollection>? further)
        {
            Index = stores[0].As<ISessionIndex>()!;
            _processes = [NewProcess(stores[0]), NewProcess(stores[^1])];

            ServiceProvider NewProcess(ISessionStore store)
            {
                var services = new ServiceCollection();

                // As an instance, which the container does not dispose of.
                services.AddSingleton(store);
                further?.Invoke(services);
                services.AddSojournCore();
                services.Configure<SojournOptions>(options =>
                {
                    (options.ApplicationName, options.StoreTimeout) = ("conformance", TimeSpan.FromSeconds(30));
                    configure?.Invoke(options);
                });
                return services.BuildServiceProvider();
            }
        }

        public ISessionIndex Index { get; }

        public (SessionManager Sessions, ISessionAdministration Administration) this[int i] =>
            (_processes[i % 2].GetRequiredService<SessionManager>(), _processes[i % 2].GetRequiredService<ISessionAdministration>());

        public async ValueTask DisposeAsync()
        {
            foreach (var process in _processes)
            {
                await process.DisposeAsync();
            }
        }
    }
}
