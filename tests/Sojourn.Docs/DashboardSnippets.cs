using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.Docs;

internal static class DashboardSnippets
{
    public static void Map(WebApplicationBuilder builder)
    {
        #region dashboard
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy("support", policy => policy.RequireRole("support", "operator"))
            .AddPolicy("operators", policy => policy.RequireRole("operator"));
        builder.Services.AddSojournDashboard(o =>
        {
            o.ReadPolicy = "support";       // sees the pages
            o.EndPolicy = "operators";      // ends sessions; nobody by default
        });
        // …
        var app = builder.Build();
        app.UseSojourn();
        app.MapSojournDashboard("/sessions");
        #endregion
    }

    public static void Guard(WebApplication app)
    {
        #region dashboard-host
        app.MapSojournDashboard("/sessions").RequireHost("admin.example.com");
        #endregion
    }
}
