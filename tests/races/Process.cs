using Microsoft.Extensions.DependencyInjection;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>Sojourn as one process has it.</summary>
internal abstract class Process(ISessionStore store, IServiceProvider services) : IAsyncDisposable
{
    public const string ApplicationName = "races";
    public const string Secret = "a secret of the races";

    public ISessionStore Store => store;

    public SessionManager Sessions { get; } = services.GetRequiredService<SessionManager>();

    public static void Configure(SojournOptions options)
    {
        (options.ApplicationName, options.Secrets) = (ApplicationName, [Secret]);
        options.IdleTimeout = Race.IdleTimeout;
        options.TouchInterval = TimeSpan.FromSeconds(1);
        options.MaxSessionsPerSubject = Race.Limit;

        // Calls are held while the clock passes a deadline; that they take long is not what is raced.
        options.StoreTimeout = TimeSpan.FromHours(1);

        // To prune is a verb of its own.
        options.PruneInterval = TimeSpan.FromDays(40);
    }

    public static void ConfigureRenewal(SojournOptions options)
    {
        Configure(options);
        options.RenewIdAfter = Race.Age;
    }

    /// <summary>Does something to the session of an id, or to one that it begins, and saves it.</summary>
    public abstract Task<Answer> AnswerAsync(string? id, Func<Session, ValueTask> handler);

    public abstract ValueTask DisposeAsync();
}

/// <summary>Starts a process on a store.</summary>
internal delegate Task<Process> StartProcess(ISessionStore store, Action<SojournOptions> configure, TimeProvider clock, RaceEvents events);

/// <summary>The engine alone.</summary>
internal sealed class EngineProcess : Process
{
    private readonly ServiceProvider _services;

    private EngineProcess(ISessionStore store, ServiceProvider services)
        : base(store, services) => _services = services;

    public static Task<Process> StartAsync(ISessionStore store, Action<SojournOptions> configure, TimeProvider clock, RaceEvents events)
    {
        // As instances, which the container does not dispose of.
        var services = new ServiceCollection().AddSingleton(clock).AddSingleton(store).AddSingleton<ISessionEventHandler>(events);
        services.AddSojournCore();
        services.Configure(configure);
        return Task.FromResult<Process>(new EngineProcess(store, services.BuildServiceProvider()));
    }

    /// <summary>As the middleware does it.</summary>
    public override async Task<Answer> AnswerAsync(string? id, Func<Session, ValueTask> handler)
    {
        var request = new Request(Sessions);
        var session = id is null
            ? Sessions.Create(request)
            : await Sessions.LoadAsync(id, Sessions.KeyOf(id), request, isCopyEnough: true, CancellationToken.None);
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

    /// <summary>A request whose response has yet to start.</summary>
    private sealed class Request(SessionManager sessions) : ISessionHost
    {
        public bool CanSendCookie => true;

        public bool CanRenewId => true;

        public DateTimeOffset? BeganAt { get; } = sessions.Time.GetUtcNow();

        public SessionDevice? Device => null;

        public void OnUsed()
        {
        }

        public string NewId() => SessionId.New();

        public SessionCookie NewCookie() => sessions.Options.Cookie.ToSessionCookie(isSecure: true, sessions.Time);
    }
}
