using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>Where races are run: the engine in two processes on one store, and in two more that move sessions to it from an old one. One race at a time.</summary>
internal sealed class Course : IAsyncDisposable
{
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(30);

    private readonly ISessionStore[] _instances;

    /// <param name="open">Opens the store under test; called twice, as by two processes.</param>
    /// <param name="isShared">Whether there can be but one of it, which both use.</param>
    public Course(Func<TimeProvider, ISessionStore> open, bool isShared = false)
    {
        var one = open(Clock);
        _instances = isShared ? [one, one] : [one, open(Clock)];
        Old = new MemorySessionStore(timeProvider: Clock);
        var old = new SteppedStore(Old, Keys, "old:");
        Processes = [.. _instances.Select(store => new Process(new SteppedStore(store, Keys), Clock, Events))];
        Migrating = [.. _instances.Select(store => new Process(new MigratingStore(old, new SteppedStore(store, Keys, "new:"), Process.ApplicationName, Clock), Clock, Events))];
        BeforeMigration = new Process(old, Clock, Events);
    }

    /// <summary>Stands still but for what a race lets pass.</summary>
    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public KeyNames Keys { get; } = new();

    public RaceEvents Events { get; } = new();

    public Process[] Processes { get; }

    public Process[] Migrating { get; }

    /// <summary>A process that knows the old store alone.</summary>
    public Process BeforeMigration { get; }

    /// <summary>The store under test, past the schedule.</summary>
    public ISessionStore Store => _instances[0];

    /// <summary>The old store, likewise.</summary>
    public MemorySessionStore Old { get; }

    public bool Prunes => Store.As<IExpiringStore>() is not null;

    /// <summary>How many commits wait for another one of the same process.</summary>
    public int WaitingCommits => Processes.Concat(Migrating).Sum(process => process.Sessions.WaitingCommits);

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

/// <summary>The engine as one process has it.</summary>
internal sealed class Process : IAsyncDisposable
{
    public const string ApplicationName = "races";

    private readonly ServiceProvider _services;

    public Process(ISessionStore store, TimeProvider clock, ISessionEventHandler events)
    {
        Store = store;

        // Instances, which the container does not dispose of.
        var services = new ServiceCollection().AddSingleton(clock).AddSingleton(store).AddSingleton(events);
        services.AddSojournCore();
        services.Configure<SojournOptions>(static options =>
        {
            options.ApplicationName = ApplicationName;
            options.IdleTimeout = Course.IdleTimeout;
            options.TouchInterval = TimeSpan.FromSeconds(1);
            options.MaxSessionsPerSubject = Race.Limit;

            // Calls are held while the clock passes a deadline; that they take long is not what is raced.
            options.StoreTimeout = TimeSpan.FromHours(1);
        });
        _services = services.BuildServiceProvider();
        Sessions = _services.GetRequiredService<SessionManager>();
    }

    public ISessionStore Store { get; }

    public SessionManager Sessions { get; }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}

/// <summary>Keeps what it is told.</summary>
internal sealed class RaceEvents : ISessionEventHandler
{
    private readonly Lock _sync = new();
    private readonly List<SessionEvent> _events = [];

    public void Clear()
    {
        lock (_sync) _events.Clear();
    }

    public int Count(Func<SessionEvent, bool> isMeant)
    {
        lock (_sync) return _events.Count(isMeant);
    }

    public IReadOnlyList<SessionEvent> Of(string? handle)
    {
        lock (_sync) return [.. _events.Where(each => each.Handle == handle)];
    }

    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        lock (_sync) _events.Add(sessionEvent);
        return default;
    }
}
