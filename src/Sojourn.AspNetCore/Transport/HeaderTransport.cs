using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Transport;

/// <summary>The token in a header. Nothing sends it along unasked, as browsers do cookies, so that no other site can use it.</summary>
internal sealed class HeaderTransport : ISessionTransport
{
    private static readonly string[] Taken = ["Authorization", "Cookie", "Set-Cookie"];

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

        (Name, Scheme) = (name, scheme);
        RequestHeaders = ["Authorization", name];
    }

    public string Name { get; }

    public string Scheme { get; }

    public IReadOnlyList<string> RequestHeaders { get; }

    public bool Read(HttpRequest request, ref TokenCandidates candidates)
    {
        var isSpoken = false;
        foreach (var line in request.Headers.Authorization)
        {
            var value = line.AsSpan().Trim(" \t");
            if (value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && (value.Length == Scheme.Length || value[Scheme.Length] == ' '))
            {
                isSpoken = true;
                Offer(value[Scheme.Length..], ref candidates);
            }
        }

        foreach (var line in request.Headers[Name])
        {
            isSpoken = true;
            Offer(line, ref candidates);
        }

        return isSpoken;
    }

    public void Write(HttpResponse response, string token, SessionCookie cookie) => response.Headers[Name] = token;

    public void Clear(HttpResponse response, SessionCookie cookie) => response.Headers[Name] = "";

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
