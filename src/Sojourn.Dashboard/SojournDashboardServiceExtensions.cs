using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Sojourn.Dashboard;
using Sojourn.Dashboard.Endpoints;
using Sojourn.Dashboard.Metrics;
using Sojourn.Dashboard.Sessions;
using Sojourn.Events;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the dashboard.</summary>
public static class SojournDashboardServiceExtensions
{
    /// <summary>
    /// Registers what <c>app.MapSojournDashboard()</c> serves, for all sessions that <c>AddSojourn</c> registers, before or after. Options come from the
    /// configuration section <c>Sojourn:Dashboard</c>, then from <paramref name="configure"/>. Outside Development the application does not start without
    /// <see cref="SojournDashboardOptions.ReadPolicy"/>. Every session has a handle from its first record on, so that it can be looked at and ended.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets options.</param>
    /// <returns>The same services.</returns>
    public static IServiceCollection AddSojournDashboard(this IServiceCollection services, Action<SojournDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddAntiforgery();
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SojournDashboardOptions>, SojournDashboardOptionsValidator>());
        var options = services.AddOptions<SojournDashboardOptions>().BindConfiguration("Sojourn:Dashboard").ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddSingleton<MetricsReader>();
        services.TryAddSingleton<EventHistory>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ISessionListener, EventHistory>(static provider => provider.GetRequiredService<EventHistory>()));
        services.TryAddSingleton<DashboardServices>();
        return services;
    }
}
