using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore;

namespace Sojourn.Docs;

internal static class DeviceBindingSnippets
{
    public static void Use(WebApplicationBuilder builder)
    {
        #region device-binding
        builder.Services.AddSojourn()
            .UseSqlite("Data Source=sessions.db")
            .WithDeviceBinding();
        #endregion
    }

    public static void Options(SojournBuilder sojourn)
    {
        #region device-binding-options
        sojourn.WithDeviceBinding(o =>
        {
            o.Policy = DeviceBindingPolicy.Required;
            o.CookieLifetime = TimeSpan.FromMinutes(5);
        });
        #endregion
    }

    public static void Require(WebApplication app)
    {
        #region device-binding-require
        app.MapPost("/transfers", (Session session) => TypedResults.NoContent())
            .RequireSignIn()
            .RequireDeviceBinding();
        #endregion
    }
}
