using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;

namespace Sojourn.AspNetCore;

/// <summary>What the chosen endpoint says of a session.</summary>
internal static class EndpointSession
{
    /// <summary>The names of the sessions that an endpoint names. Endpoints are few, and made anew when the application's routes change.</summary>
    private static readonly ConditionalWeakTable<Endpoint, HashSet<string>> NamedBy = [];

    /// <summary>How it uses the session of a name; <see langword="null"/> where no endpoint is chosen yet.</summary>
    public static SessionUse? UseOf(HttpContext context, string name)
    {
        if (context.GetEndpoint() is not { } endpoint)
        {
            return null;
        }

        var said = endpoint.Metadata.GetOrderedMetadata<SessionUseAttribute>();
        for (var i = said.Count - 1; i >= 0; i--)
        {
            if (said[i].Session == name)
            {
                return said[i].Use;
            }
        }

        return SessionUse.ReadWrite;
    }

    /// <summary>Whether it says anything of the session of a name, or takes it as a parameter: then it is loaded before the endpoint runs.</summary>
    public static bool Names(HttpContext context, string name) =>
        context.GetEndpoint() is { } endpoint && NamedBy.GetValue(endpoint, static endpoint => SessionNames.Of(endpoint)).Contains(name);

    /// <summary>Whether it is a SignalR hub, as far as is known yet.</summary>
    public static bool MayBeHub(HttpContext context) => context.GetEndpoint() is not { } endpoint || endpoint.Metadata.GetMetadata<HubMetadata>() is not null;

    /// <summary>Whether a request to it counts as use of the session of a name.</summary>
    public static bool CountsAsActivity(HttpContext context, string name)
    {
        var said = context.GetEndpoint()?.Metadata.GetOrderedMetadata<NoSessionActivityAttribute>() ?? [];
        for (var i = 0; i < said.Count; i++)
        {
            if (said[i].Session == name)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>What it requires of the session of a name and does not find; without a session, whatever it requires.</summary>
    public static SessionRequirementAttribute? FindUnmet(Endpoint? endpoint, string name, Session? session, TimeProvider time)
    {
        var required = endpoint?.Metadata.GetOrderedMetadata<SessionRequirementAttribute>() ?? [];
        for (var i = 0; i < required.Count; i++)
        {
            if (required[i].Session == name && (session is null || !required[i].IsMetBy(session, time)))
            {
                return required[i];
            }
        }

        return null;
    }
}
