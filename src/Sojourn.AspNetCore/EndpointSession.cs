using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace Sojourn.AspNetCore;

/// <summary>What an endpoint says of the session of a name.</summary>
internal sealed class EndpointSession
{
    private readonly SessionRequirementAttribute[] _required;
    private readonly Lazy<bool> _namesIt;

    public EndpointSession(Endpoint endpoint, string name)
    {
        Endpoint = endpoint;
        Use = endpoint.Metadata.GetOrderedMetadata<SessionUseAttribute>().LastOrDefault(said => said.Session == name)?.Use ?? SessionUse.ReadWrite;
        CountsAsActivity = endpoint.Metadata.GetOrderedMetadata<NoSessionActivityAttribute>().All(said => said.Session != name);
        IsHub = endpoint.Metadata.GetMetadata<HubMetadata>() is not null;
        _required = [.. endpoint.Metadata.GetOrderedMetadata<SessionRequirementAttribute>().Where(required => required.Session == name)];
        _namesIt = new(() => SessionNames.Of(endpoint).Contains(name));
    }

    public Endpoint Endpoint { get; }

    public SessionUse Use { get; }

    /// <summary>Whether a request to it counts as use of the session.</summary>
    public bool CountsAsActivity { get; }

    public bool IsHub { get; }

    /// <summary>Whether it says anything of the session, or takes it as a parameter: then it is loaded before the endpoint runs.</summary>
    public bool NamesIt => _namesIt.Value;

    /// <summary>What it requires of the session and does not find; without a session, whatever it requires.</summary>
    public SessionRequirementAttribute? FindUnmet(Session? session, TimeProvider time)
    {
        foreach (var required in _required)
        {
            if (session is null || !required.IsMetBy(session, time))
            {
                return required;
            }
        }

        return null;
    }
}

/// <summary>What endpoints say of the session of a name, worked out once for each: they are few, and made anew when the application's routes change.</summary>
internal sealed class EndpointSessions(string name)
{
    private readonly ConditionalWeakTable<Endpoint, EndpointSession> _said = [];

    /// <summary>What the chosen endpoint says; <see langword="null"/> where none is chosen yet.</summary>
    public EndpointSession? Of(HttpContext context) => Of(EndpointOf(context));

    /// <summary>As GetEndpoint, at a quarter of its cost: a generic method of the features is searched for at every call.</summary>
    public static Endpoint? EndpointOf(HttpContext context) => (context.Features[typeof(IEndpointFeature)] as IEndpointFeature)?.Endpoint;

    public EndpointSession? Of(Endpoint? endpoint) =>
        endpoint is null ? null : _said.GetOrAdd(endpoint, static (made, name) => new EndpointSession(made, name), name);
}
