using Microsoft.Extensions.DependencyInjection;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>Sojourn as one process has it.</summary>
internal abstract class Process(ISessionStore store, IServiceProvider services) : IAsyncDisposable
{
    public const string ApplicationName = "races";

    public ISessionStore Store => store;

    public SessionManager Sessions { get; } = services.GetRequiredService<SessionManager>();

    public static void Configure(SojournOptions options)
    {
        options.ApplicationName = ApplicationName;
        options.IdleTimeout = Course.IdleTimeout;
        options.TouchInterval = TimeSpan.FromSeconds(1);
        options.MaxSessionsPerSubject = Race.Limit;

        // Calls are held while the clock passes a deadline; that they take long is not what is raced.
        options.StoreTimeout = TimeSpan.FromHours(1);

        // To prune is a verb of its own.
        options.PruneInterval = TimeSpan.FromDays(40);
    }

    /// <summary>Does something to the session of an id, or to one that it begins, and saves it.</summary>
    public abstract Task<Answer> AnswerAsync(string? id, Func<Session, ValueTask> handler);

    public abstract ValueTask DisposeAsync();
}

/// <summary>The engine alone.</summary>
internal sealed class EngineProcess : Process
{
    private readonly ServiceProvider _services;

    private EngineProcess(ISessionStore store, ServiceProvider services)
        : base(store, services) => _services = services;

    public static Task<Process> StartAsync(ISessionStore store, TimeProvider clock, RaceEvents events)
    {
        // As instances, which the container does not dispose of.
        var services = new ServiceCollection().AddSingleton(clock).AddSingleton(store).AddSingleton<ISessionEventHandler>(events);
        services.AddSojournCore();
        services.Configure<SojournOptions>(Configure);
        return Task.FromResult<Process>(new EngineProcess(store, services.BuildServiceProvider()));
    }

    /// <summary>As the middleware does it.</summary>
    public override async Task<Answer> AnswerAsync(string? id, Func<Session, ValueTask> handler)
    {
        var session = id is null ? Sessions.Create() : await Sessions.LoadAsync(id);
        if (session is null)
        {
            return new Answer(RaceOutcome.Stranger, null, null);
        }

        try
        {
            await handler(session);
            await Sessions.CommitAsync(session);
        }
        catch (SessionEndedException)
        {
            return new Answer(RaceOutcome.Ended, null, null);
        }

        return new Answer(RaceOutcome.Done, session.State == SessionState.Live && session.Id != id ? session.Id : null, session.KnownHandle);
    }

    public override ValueTask DisposeAsync() => _services.DisposeAsync();
}
