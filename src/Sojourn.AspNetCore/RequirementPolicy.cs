using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;

namespace Sojourn.AspNetCore;

/// <summary>
/// What an endpoint requires of a session is asked by UseSojourn. An endpoint that is reached without having been asked for fails, as one that wants
/// authorization does without UseAuthorization, rather than let everybody in.
/// </summary>
internal sealed class RequirementPolicy : MatcherPolicy, IEndpointSelectorPolicy
{
    private readonly ConditionalWeakTable<Endpoint, Endpoint> _guarded = [];

    /// <summary>After those that find controllers and load pages.</summary>
    public override int Order => int.MaxValue;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        ContainsDynamicEndpoints(endpoints)
        || endpoints.Any(static endpoint => Requires(endpoint) || endpoint.Metadata.GetMetadata<PageActionDescriptor>() is not null);

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            if (candidates.IsValidCandidate(i)
                && candidates[i].Endpoint is RouteEndpoint { RequestDelegate: not null } endpoint
                && Requires(endpoint))
            {
                candidates.ReplaceEndpoint(i, _guarded.GetValue(endpoint, Guard), candidates[i].Values);
            }
        }

        return Task.CompletedTask;
    }

    private static bool Requires(Endpoint endpoint) => endpoint.Metadata.GetMetadata<SessionRequirementAttribute>() is not null;

    private static Endpoint Guard(Endpoint endpoint)
    {
        var (route, run) = ((RouteEndpoint)endpoint, endpoint.RequestDelegate!);
        return new RouteEndpoint(
            context =>
            {
                foreach (var required in endpoint.Metadata.GetOrderedMetadata<SessionRequirementAttribute>())
                {
                    if (SessionFeature.Of(context, required.Session)?.Asked != context.GetEndpoint())
                    {
                        var call = required.Session is "" ? "UseSojourn()" : $"UseSojourn(\"{required.Session}\")";
                        throw new InvalidOperationException(
                            $"The endpoint '{endpoint.DisplayName}' requires something of the session, and nobody has looked whether it is met: app.{call} is "
                            + "missing, or stands before UseRouting, or the endpoint does not pass it (ShortCircuit).");
                    }
                }

                return run(context);
            },
            route.RoutePattern,
            route.Order,
            endpoint.Metadata,
            endpoint.DisplayName);
    }
}
