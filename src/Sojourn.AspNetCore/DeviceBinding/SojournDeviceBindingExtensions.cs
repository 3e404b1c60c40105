using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.DeviceBinding;
using Sojourn.Events;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Binds sessions to the devices that their users signed in on.</summary>
public static class SojournDeviceBindingExtensions
{
    /// <summary>
    /// Binds signed-in sessions to their device where the browser can (Device Bound Session Credentials): it makes a key that does not leave the device, and
    /// proves it every few minutes for a short-lived cookie beside the session's own. A bound session is never accepted without that cookie, so copied cookies
    /// are good for minutes.
    /// </summary>
    /// <remarks>
    /// Browsers bind over https alone. Nothing is to be mapped: the endpoints that the browser calls answer before the application's own pipeline does.
    /// </remarks>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="configure">
    /// Sets options, after the configuration section <c>Sojourn:DeviceBinding</c> (<c>Sojourn:Sessions:</c>name<c>:DeviceBinding</c> for a named session).
    /// </param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">
    /// At start: an option is out of its range, or the session's cookie is one that browsers do not bind.
    /// </exception>
    public static SojournBuilder WithDeviceBinding(this SojournBuilder builder, Action<DeviceBindingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (services, name) = (builder.Services, builder.Name);
        services.AddOptions<DeviceBindingOptions>(name)
            .Configure<IServiceProvider>((options, provider) =>
            {
                provider.GetService<IConfiguration>()?.GetSection(builder.Section + ":DeviceBinding").Bind(options);
                configure?.Invoke(options);
            })
            .ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<DeviceBindingOptions>, DeviceBindingDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DeviceBindingOptions>, DeviceBindingDefaults>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, DeviceBindingFilter>());
        services.TryAddSingleton<DeviceBindingMetrics>();
        services.TryAddFor(name, provider =>
        {
            var options = provider.GetRequiredService<IOptionsMonitor<DeviceBindingOptions>>().Get(name);
            var time = provider.GetRequiredService<TimeProvider>();
            var seal = new TimedSeal(provider.OptionsFor(name));
            return new DeviceBinder(
                options,
                new BoundCookie(provider.OptionsFor(name), options, seal, time),
                seal,
                time,
                provider.GetFor<SessionEvents>(name),
                provider.GetRequiredService<DeviceBindingMetrics>(),
                provider.GetRequiredService<ILogger<DeviceBinder>>());
        });
        services.TryAddFor(name, provider => new DeviceBindingEndpoints(
            provider.GetFor<SessionServices>(name),
            provider.GetFor<DeviceBinder>(name),
            provider.GetRequiredService<DeviceBindingMetrics>(),
            provider.GetRequiredService<ILogger<DeviceBindingEndpoints>>()));
        return builder;
    }
}
