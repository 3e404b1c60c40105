using Microsoft.Extensions.Diagnostics.HealthChecks;
using Sojourn.AspNetCore.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the session store to the application's health checks.</summary>
public static class SessionHealthCheckExtensions
{
    /// <summary>
    /// Checks that a session can be stored, read and deleted, in the store that the application uses, or in each of several: three calls each time.
    /// </summary>
    /// <param name="builder">What <c>AddHealthChecks</c> returned.</param>
    /// <param name="name">The check's name; <c>sessions</c> by default.</param>
    /// <param name="failureStatus">What a failure means; unhealthy when <see langword="null"/>.</param>
    /// <param name="tags">Tags to choose checks by, such as <c>ready</c>.</param>
    /// <returns>The builder.</returns>
    public static IHealthChecksBuilder AddSojourn(
        this IHealthChecksBuilder builder, string name = "sessions", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(
            new HealthCheckRegistration(name, static services => ActivatorUtilities.CreateInstance<SessionHealthCheck>(services), failureStatus, tags));
    }
}
