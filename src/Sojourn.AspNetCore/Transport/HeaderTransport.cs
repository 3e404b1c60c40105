using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Transport;

/// <summary>The token in a header. Nothing sends it along unasked, as browsers do cookies, so that no other site can use it.</summary>
internal sealed class HeaderTransport : ISessionTransport
{
    private static readonly string[] Taken = ["Authorization", "Cookie", "Set-Cookie"];
    private readonly string _name;
    private readonly string _scheme;

    public HeaderTransport(string name, string scheme)
    {
        if (!SojournOptionsValidator.IsToken(name) || Taken.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            throw new ArgumentException("The header needs a name of its own, such as X-Session-Id.", nameof(name));
        }

        if (!SojournOptionsValidator.IsToken(scheme))
        {
            throw new ArgumentException("The scheme must be one word, such as Session.", nameof(scheme));
        }

        (_name, _scheme) = (name, scheme);
        RequestHeaders = ["Authorization", name];
    }

    public IReadOnlyList<string> RequestHeaders { get; }

    public bool Read(HttpRequest request, ref TokenCandidates candidates)
    {
        var isSpoken = false;
        foreach (var line in request.Headers.Authorization)
        {
            var value = line.AsSpan().Trim(" \t");
            if (value.StartsWith(_scheme, StringComparison.OrdinalIgnoreCase) && (value.Length == _scheme.Length || value[_scheme.Length] == ' '))
            {
                isSpoken = true;
                Offer(value[_scheme.Length..], ref candidates);
            }
        }

        foreach (var line in request.Headers[_name])
        {
            isSpoken = true;
            Offer(line, ref candidates);
        }

        return isSpoken;
    }

    public void Write(HttpResponse response, string token, SessionCookie cookie) => response.Headers[_name] = token;

    public void Clear(HttpResponse response, SessionCookie cookie) => response.Headers[_name] = "";

    /// <summary>Empty, it asks for a token.</summary>
    private static void Offer(ReadOnlySpan<char> value, ref TokenCandidates candidates)
    {
        value = value.Trim(" \t");
        if (!value.IsEmpty)
        {
            candidates.Offer(value);
        }
    }
}
