using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>The engine as one process has it, on a store that it may share with others.</summary>
internal sealed class Engine
{
    private readonly ServiceProvider _services;

    public Engine(
        ISessionStore store, TimeProvider time, Action<SojournOptions>? options = null, ISessionEventHandler? handler = null,
        Action<IServiceCollection>? services = null)
    {
        var all = new ServiceCollection();
        all.AddSingleton(time);
        all.AddSojournCore().UseStore(_ => store);
        all.Configure<SojournOptions>(o =>
        {
            o.ApplicationName = "tests";
            options?.Invoke(o);
        });
        if (handler is not null)
        {
            all.AddSingleton(handler);
        }

        services?.Invoke(all);
        _services = all.BuildServiceProvider();
    }

    public SessionManager Sessions => _services.GetRequiredService<SessionManager>();

    public ISessionAdministration Administration => _services.GetRequiredService<ISessionAdministration>();

    public static FakeTimeProvider NewClock() => new(DateTimeOffset.Parse("2030-01-02T03:04:05Z", System.Globalization.CultureInfo.InvariantCulture));

    public async Task<Session> LoadAsync(string id) =>
        await Sessions.LoadAsync(id, TestContext.Current.CancellationToken) ?? throw new InvalidOperationException("The session is gone.");

    public async Task<Session> SignInAsync(string subject, SessionSignIn? how = null)
    {
        var session = Sessions.Create();
        await session.SignInAsync(subject, how, TestContext.Current.CancellationToken);
        return session;
    }

    /// <summary>Signed in, its count at 0, and read often enough to be remembered by this process.</summary>
    public async Task<Session> NewBusyAsync(string subject)
    {
        var session = await SignInAsync(subject);
        session.Set("count", 0);
        await session.SaveAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < 4; i++)
        {
            session = await LoadAsync(session.Id);
        }

        return session;
    }

    public async Task<bool> IsAliveAsync(Session session) => await Sessions.LoadAsync(session.Id, TestContext.Current.CancellationToken) is not null;
}

/// <summary>A request that can send a new id.</summary>
internal sealed class Visit(TimeProvider time) : ISessionHost
{
    public bool CanSendCookie => true;

    public bool CanRenewId => true;

    public DateTimeOffset? BeganAt => null;

    public SessionDevice? Device => null;

    public void OnUsed()
    {
    }

    public string NewId() => SessionId.New();

    public SessionCookie NewCookie() => new SessionCookieOptions().ToSessionCookie(isSecure: true, time);
}

/// <summary>Keeps what it hears.</summary>
internal sealed class EventLog : ISessionEventHandler
{
    private readonly Lock _sync = new();
    private readonly List<SessionEvent> _events = [];

    public IReadOnlyList<SessionEvent> Events
    {
        get
        {
            lock (_sync) return [.. _events];
        }
    }

    public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
    {
        lock (_sync) _events.Add(sessionEvent);
        return default;
    }
}
