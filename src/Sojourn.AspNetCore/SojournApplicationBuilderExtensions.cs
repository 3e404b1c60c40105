using Microsoft.Extensions.DependencyInjection;
using Sojourn;
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
    public static IApplicationBuilder UseSojourn(this IApplicationBuilder app) => app.UseSojourn("");

    /// <summary>As <see cref="UseSojourn(IApplicationBuilder)"/>, for one of several sessions side by side; each has its own call.</summary>
    /// <param name="app">The application.</param>
    /// <param name="name">The session's name, as given to <c>AddSojourn</c>.</param>
    /// <returns>The same.</returns>
    /// <exception cref="InvalidOperationException"><c>AddSojourn</c> was not called for this name.</exception>
    public static IApplicationBuilder UseSojourn(this IApplicationBuilder app, string name)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentNullException.ThrowIfNull(name);
        if (app.ApplicationServices.GetService<IServiceProviderIsKeyedService>()?.IsKeyedService(typeof(SessionServices), NamedServices.KeyOf(name)) == false)
        {
            throw new InvalidOperationException(name is ""
                ? "UseSojourn needs its services: call builder.Services.AddSojourn() first."
                : $"UseSojourn(\"{name}\") needs its services: call builder.Services.AddSojourn(\"{name}\") first.");
        }

        return app.Use(next => new SojournMiddleware(next, app.ApplicationServices.GetFor<SessionServices>(name)).InvokeAsync);
    }
}
