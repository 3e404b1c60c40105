using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts sessions into the pipeline.</summary>
public static class SojournApplicationBuilderExtensions
{
    /// <summary>
    /// Gives every request from here on its session. After routing (which web applications begin with by themselves), so that endpoints'
    /// own words on the session are heard; inside exception handlers, so that a failure is answered by Sojourn.
    /// </summary>
    /// <param name="app">The application.</param>
    /// <returns>The same.</returns>
    /// <exception cref="InvalidOperationException"><c>AddSojourn</c> was not called.</exception>
    public static IApplicationBuilder UseSojourn(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<IServiceProviderIsService>()?.IsService(typeof(SessionServices)) == false)
        {
            throw new InvalidOperationException("UseSojourn needs its services: call builder.Services.AddSojourn() first.");
        }

        return app.UseMiddleware<SojournMiddleware>();
    }
}
