using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>Where races are run: two processes on one store, and two more that move sessions to it from an old one. One race at a time.</summary>
internal sealed class Course : IAsyncDisposable
{
    private readonly ISessionStore[] _instances;
    private readonly Dictionary<(bool Migrate, bool RenewIds), List<Process>> _processes = [];

    private Course(Func<TimeProvider, ISessionStore> open, bool isShared)
    {
        var one = open(Clock);
        _instances = isShared ? [one, one] : [one, open(Clock)];
        Old = new MemorySessionStore(timeProvider: Clock);
    }

    /// <summary>Stands still but for what a race lets pass.</summary>
    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public KeyNames Keys { get; } = new();

    public RaceEvents Events { get; } = new();

    /// <summary>A process that knows the old store alone.</summary>
    public Process BeforeMigration { get; private set; } = null!;

    /// <summary>The store under test, past the schedule.</summary>
    public ISessionStore Store => _instances[0];

    /// <summary>The old store, likewise.</summary>
    public MemorySessionStore Old { get; }

    public bool Prunes => Store.As<IExpiringStore>() is not null;

    /// <summary>How many commits wait for another one of the same process.</summary>
    public int WaitingCommits => _processes.Values.Sum(static both => both.Sum(static process => process.Sessions.WaitingCommits));

    /// <summary>Makes one.</summary>
    /// <param name="open">Opens the store under test; called twice, as by two processes.</param>
    /// <param name="isShared">Whether there can be but one of it, which both use.</param>
    /// <param name="start">Starts a process; by default the engine alone.</param>
    public static async Task<Course> OpenAsync(Func<TimeProvider, ISessionStore> open, bool isShared = false, StartProcess? start = null)
    {
        start ??= EngineProcess.StartAsync;
        var course = new Course(open, isShared);
        var old = new SteppedStore(course.Old, course.Keys, "old:");
        course.BeforeMigration = await EngineProcess.StartAsync(old, Process.Configure, course.Clock, course.Events);
        foreach (var (migrate, renewIds) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            var both = course._processes[(migrate, renewIds)] = [];
            foreach (var instance in course._instances)
            {
                ISessionStore store = migrate
                    ? new MigratingStore(old, new SteppedStore(instance, course.Keys, "new:"), Process.ApplicationName, course.Clock)
                    : new SteppedStore(instance, course.Keys);
                both.Add(await start(store, renewIds ? Process.ConfigureRenewal : Process.Configure, course.Clock, course.Events));
            }
        }

        return course;
    }

    /// <summary>Two processes.</summary>
    /// <param name="migrate">Whether they move sessions from the old store.</param>
    /// <param name="renewIds">Whether ids renew themselves.</param>
    public IReadOnlyList<Process> Processes(bool migrate, bool renewIds) => _processes[(migrate, renewIds)];

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values.SelectMany(static both => both).Append(BeforeMigration))
        {
            await process.DisposeAsync();
        }

        foreach (var store in _instances.Distinct().Reverse())
        {
            if (store is IAsyncDisposable asyncDisposable)
            {
                await asyncDisposable.DisposeAsync();
            }
        }
    }
}
