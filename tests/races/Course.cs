using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>Where races are run: two processes on one store, and two more that move sessions to it from an old one. One race at a time.</summary>
internal sealed class Course : IAsyncDisposable
{
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    private readonly ISessionStore[] _instances;

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

    public Process[] Processes { get; private set; } = [];

    public Process[] Migrating { get; private set; } = [];

    /// <summary>A process that knows the old store alone.</summary>
    public Process BeforeMigration { get; private set; } = null!;

    /// <summary>The store under test, past the schedule.</summary>
    public ISessionStore Store => _instances[0];

    /// <summary>The old store, likewise.</summary>
    public MemorySessionStore Old { get; }

    public bool Prunes => Store.As<IExpiringStore>() is not null;

    /// <summary>How many commits wait for another one of the same process.</summary>
    public int WaitingCommits => Processes.Concat(Migrating).Sum(process => process.Sessions.WaitingCommits);

    /// <summary>Makes one.</summary>
    /// <param name="open">Opens the store under test; called twice, as by two processes.</param>
    /// <param name="isShared">Whether there can be but one of it, which both use.</param>
    /// <param name="start">Starts a process; by default the engine alone.</param>
    public static async Task<Course> OpenAsync(
        Func<TimeProvider, ISessionStore> open, bool isShared = false, Func<ISessionStore, TimeProvider, RaceEvents, Task<Process>>? start = null)
    {
        start ??= EngineProcess.StartAsync;
        var course = new Course(open, isShared);
        var old = new SteppedStore(course.Old, course.Keys, "old:");
        course.BeforeMigration = await EngineProcess.StartAsync(old, course.Clock, course.Events);
        foreach (var store in course._instances)
        {
            course.Processes = [.. course.Processes, await start(new SteppedStore(store, course.Keys), course.Clock, course.Events)];
            var migrating = new MigratingStore(old, new SteppedStore(store, course.Keys, "new:"), Process.ApplicationName, course.Clock);
            course.Migrating = [.. course.Migrating, await start(migrating, course.Clock, course.Events)];
        }

        return course;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Processes.Concat(Migrating).Append(BeforeMigration))
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
