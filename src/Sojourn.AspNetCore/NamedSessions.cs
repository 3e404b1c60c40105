using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>The sessions of one request besides the default one.</summary>
internal sealed class NamedSessions : List<SessionFeature>
{
    public static void Add(HttpContext context, SessionFeature feature)
    {
        if (context.Features.Get<NamedSessions>() is not { } sessions)
        {
            context.Features.Set(sessions = []);
        }

        sessions.Add(feature);
    }

    public SessionFeature? Find(string name) => Find(feature => feature.Name == name);
}
