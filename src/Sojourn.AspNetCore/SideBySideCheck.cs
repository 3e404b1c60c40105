using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>Sessions side by side whose tokens could be taken for each other's are refused at start.</summary>
internal sealed class SideBySideCheck(IOptionsMonitor<SessionTransportOptions> transports) : IValidateOptions<SojournOptions>
{
    private readonly ConcurrentDictionary<string, string> _owners = new(StringComparer.OrdinalIgnoreCase);

    public ValidateOptionsResult Validate(string? name, SojournOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        foreach (var transport in transports.Get(name).InOrder)
        {
            if (transport is CookieTransport)
            {
                Claim($"the cookie '{options.Cookie.Name}'", "set another Cookie.Name");
            }
            else if (transport is HeaderTransport header)
            {
                Claim($"the header '{header.Name}'", "give SessionTransports.Header another name");
                Claim($"the Authorization scheme '{header.Scheme}'", "give SessionTransports.Header another scheme");
            }
        }

        return problems.Build();

        void Claim(string what, string fix)
        {
            var owner = _owners.GetOrAdd(what, options.SessionName);
            if (owner != options.SessionName)
            {
                problems.AddError(
                    $"The sessions '{owner}' and '{options.SessionName}' would share {what}: {fix} for one of them. (The default session's name is empty.)");
            }
        }
    }
}
