using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.AspNetCore;
using Sojourn.Dashboard;
using Sojourn.Dashboard.Endpoints;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the dashboard.</summary>
public static class SojournDashboardEndpointExtensions
{
    private const string AssetPattern = "assets/{name}";

    /// <summary>
    /// Maps the operator's pages: an overview that moves, the sessions, each of them, and the health of the store and the configuration; for each of several
    /// sessions side by side. Who may see them, end sessions and look at values is said by <see cref="SojournDashboardOptions"/>. All of it is rendered on the
    /// server, with a stylesheet and a script of its own, under a content security policy that lets nothing else in.
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="path">The path, such as <c>/sessions</c>; without parameters.</param>
    /// <returns>The endpoints, to which conventions can be added, such as <c>RequireHost</c>.</returns>
    /// <exception cref="InvalidOperationException"><c>AddSojournDashboard</c> was not called.</exception>
    /// <exception cref="ArgumentException">The path has parameters.</exception>
    public static IEndpointConventionBuilder MapSojournDashboard(this IEndpointRouteBuilder endpoints, string path = "/sessions")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(path);
        if (path.Contains('{', StringComparison.Ordinal))
        {
            throw new ArgumentException("The dashboard's path has no parameters.", nameof(path));
        }

        var all = endpoints.ServiceProvider.GetService<DashboardServices>()
            ?? throw new InvalidOperationException(
                "The dashboard is not registered: call builder.Services.AddSojournDashboard(options => options.ReadPolicy = …).");
        if (all.IsOpen)
        {
            all.Logger.Open();
        }

        // Where the pages are, with the path of a group around them, is known once the endpoints are built.
        var root = new StrongBox<string>("");
        var group = endpoints.MapGroup(path);
        if (all.Options.ReadPolicy is { } read)
        {
            group.RequireAuthorization(read);
        }

        group.MapGet(AssetPattern, (RequestDelegate)Assets.ServeAsync).Add(endpoint =>
        {
            var pattern = ((RouteEndpointBuilder)endpoint).RoutePattern.RawText!;
            root.Value = pattern[..^AssetPattern.Length].Trim('/') is { Length: > 0 } trimmed ? "/" + trimmed : "";
        });
        Map(group, root, all);
        Map(group.MapGroup("of/{session}"), root, all);
        return group;
    }

    private static void Map(RouteGroupBuilder group, StrongBox<string> root, DashboardServices all)
    {
        var (options, isOpen) = (all.Options, all.IsOpen);
        group.MapGet("", Page("overview", OverviewEndpoints.OverviewAsync));
        group.MapGet("live", Page("overview", OverviewEndpoints.LiveAsync));
        group.MapGet("health", Page("health", OverviewEndpoints.HealthAsync));
        group.MapGet("list", Page("sessions", SessionEndpoints.ListAsync));
        group.MapGet("one/{handle}", Page("sessions", SessionEndpoints.OneAsync));
        if (options.ValuesPolicy is { } values)
        {
            group.MapPost("one/{handle}/values", Form("sessions", SessionEndpoints.ValuesAsync)).RequireAuthorization(values);
        }

        if (isOpen || options.EndPolicy is not null)
        {
            var end = group.MapGroup("");
            if (options.EndPolicy is { } policy)
            {
                end.RequireAuthorization(policy);
            }

            end.MapGet("one/{handle}/end", Page("sessions", EndEndpoints.AskOneAsync));
            end.MapPost("one/{handle}/end", Form("sessions", EndEndpoints.EndOneAsync));
            end.MapGet("subject/end", Page("sessions", EndEndpoints.AskSubjectAsync));
            end.MapPost("subject/end", Form("sessions", EndEndpoints.EndSubjectAsync));
        }

        RequestDelegate Page(string here, Func<DashboardRequest, Task> answer) => async context =>
        {
            DashboardHeaders.Write(context.Response);
            if (await DashboardRequest.BeginAsync(context, root.Value!, here, Assets.Version).ConfigureAwait(false) is { } request)
            {
                await answer(request).ConfigureAwait(false);
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
            }
        };

        // Antiforgery is looked at here, whatever middleware the application has.
        RequestDelegate Form(string here, Func<DashboardRequest, Task> answer) => Page(here, async request =>
        {
            var context = request.Context;
            if (SameOrigin.Holds(context.Request)
                && await context.RequestServices.GetRequiredService<IAntiforgery>().IsRequestValidAsync(context).ConfigureAwait(false))
            {
                await answer(request).ConfigureAwait(false);
            }
            else
            {
                await request.MessageAsync(
                    StatusCodes.Status400BadRequest, "This form is not valid any more",
                    "It was not sent by a page of this dashboard, or by one from before you signed in. Nothing was done: go back, load the page again and "
                    + "repeat it.").ConfigureAwait(false);
            }
        });
    }
}
