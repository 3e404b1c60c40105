using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Sojourn.AspNetCore.HealthChecks;

/// <summary>Stores a session, reads it and deletes it, in the store of every session side by side: a store that only reads is no store.</summary>
internal sealed class SessionHealthCheck(IServiceProvider services, IEnumerable<SessionName> names) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            foreach (var name in names)
            {
                await services.GetFor<SessionManager>(name.Value).ProbeAsync(cancellationToken).ConfigureAwait(false);
            }

            return HealthCheckResult.Healthy("A session was stored, read and deleted.");
        }
        catch (SessionStoreException e)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.InnerException is { } cause ? $"{e.Message} {cause.Message}" : e.Message, e);
        }
    }
}
