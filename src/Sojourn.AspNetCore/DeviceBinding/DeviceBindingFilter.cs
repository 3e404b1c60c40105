using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>Puts the two endpoints before the application's own pipeline.</summary>
internal sealed class DeviceBindingFilter(IServiceProvider services) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        foreach (var name in services.GetServices<SessionName>())
        {
            if (services.FindFor<DeviceBindingEndpoints>(name.Value) is { } endpoints)
            {
                app.Use(next => context => endpoints.TryAnswer(context, out var answered) ? answered : next(context));
            }
        }

        next(app);
    };
}
