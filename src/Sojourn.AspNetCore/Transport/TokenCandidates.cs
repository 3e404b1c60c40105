using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>
/// Takes the tokens that a request carries, from all transports, and checks each at once. The one that verifies counts; two that verify for different
/// sessions, or more than a few, are refused together.
/// </summary>
public ref struct TokenCandidates
{
    /// <summary>A request full of forged tokens must not buy any amount of HMACs.</summary>
    private const int Most = 8;
    private readonly SessionTokens _tokens;
    private readonly DateTimeOffset _now;
    private int _count;

    internal TokenCandidates(SessionTokens tokens, DateTimeOffset now) => (_tokens, _now) = (tokens, now);

    /// <summary>The token that verified.</summary>
    internal VerifiedToken? Token { get; private set; }

    /// <summary>Whether none counts, since they contradict each other or are too many.</summary>
    internal bool IsRefused { get; private set; }

    /// <summary>Offers a token.</summary>
    /// <param name="token">The token as <see cref="ISessionTransport.Write"/> was given it, or what the client sent in its place.</param>
    /// <returns>Whether to look for more.</returns>
    public bool Offer(scoped ReadOnlySpan<char> token) => Offer(token, isEncoded: false);

    internal bool Offer(scoped ReadOnlySpan<char> token, bool isEncoded)
    {
        if (!IsRefused && ++_count > Most)
        {
            Refuse();
        }
        else if (!IsRefused && _tokens.Verify(token, isEncoded, _now) is { } verified)
        {
            if (Token is not null && !string.Equals(Token.Id, verified.Id, StringComparison.Ordinal))
            {
                Refuse();
            }
            else
            {
                Token = verified;
            }
        }

        return !IsRefused;
    }

    private void Refuse() => (Token, IsRefused) = (null, true);
}
