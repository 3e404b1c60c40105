using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Sojourn.AspNetCore.HealthChecks;

/// <summary>Stores a session, reads it and deletes it: a store that only reads is no store.</summary>
internal sealed class SessionHealthCheck(SessionManager manager) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await manager.ProbeAsync(cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy("A session was stored, read and deleted.");
        }
        catch (SessionStoreException e)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.InnerException is { } cause ? $"{e.Message} {cause.Message}" : e.Message, e);
        }
    }
}
