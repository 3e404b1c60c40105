using System.Collections.Concurrent;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Dashboard.Metrics;
using Sojourn.Dashboard.Sessions;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>What the pages are made from: one instance for the application. Thread-safe.</summary>
internal sealed class DashboardServices(
    IServiceProvider services,
    IOptions<SojournDashboardOptions> options,
    MetricsReader metrics,
    EventHistory history,
    IEnumerable<SessionName> names,
    IDataProtectionProvider protection,
    IHostEnvironment environment,
    TimeProvider time,
    ILogger<DashboardServices> logger)
{
    private readonly ConcurrentDictionary<string, Census> _censuses = new(StringComparer.Ordinal);

    public SojournDashboardOptions Options => options.Value;

    public MetricsReader Metrics => metrics;

    public EventHistory History => history;

    public IReadOnlyList<string> Names { get; } = [.. names.Select(name => name.Value)];

    public IHostEnvironment Environment => environment;

    public TimeProvider Time => time;

    public ILogger Logger => logger;

    /// <summary>Whether everybody may read and end: in Development, where no policy says who.</summary>
    public bool IsOpen => Options.ReadPolicy is null;

    public SessionManager ManagerOf(string name) => services.GetFor<SessionManager>(name);

    public ISessionStore StoreOf(string name) => services.GetFor<ISessionStore>(name);

    public Census CensusOf(string name) => _censuses.GetOrAdd(name, static (name, all) => new Census(all.ManagerOf(name), all.Time), this);

    /// <summary>Whether anybody but this page hears what happens to the sessions of a name.</summary>
    public bool IsAudited(string name) => services.GetAllFor<ISessionEventHandler>(name).Any();

    /// <summary>Seals where a page of sessions ended, since that is a key: it opens nothing, and still is nobody's business.</summary>
    public IDataProtector PlacesOf(string name) => protection.CreateProtector("Sojourn.Dashboard.Places", name);
}
