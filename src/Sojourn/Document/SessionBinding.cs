using System.Text.Json;

namespace Sojourn.Document;

/// <summary>The device that a session is bound to: its public key, and the one challenge that its next proof must answer.</summary>
/// <param name="Id">What the browser calls the binding: random, and worth nothing without the device's key.</param>
/// <param name="Algorithm">How the device signs: <c>ES256</c> or <c>RS256</c>.</param>
/// <param name="PublicKey">The key, as SubjectPublicKeyInfo in base64.</param>
/// <param name="BoundAt">When it was registered.</param>
internal sealed record SessionBinding(string Id, string Algorithm, string PublicKey, DateTimeOffset BoundAt)
{
    /// <summary>Answered once; the answer to it brings the next.</summary>
    public required string Challenge { get; init; }

    public required DateTimeOffset ChallengeExpiresAt { get; init; }

    public static bool TryParse(ReadOnlyMemory<byte> utf8, out SessionBinding? binding)
    {
        var members = new MemberReader(utf8);
        string? id = null, algorithm = null, key = null, challenge = null;
        DateTimeOffset? boundAt = null, expiresAt = null;
        binding = null;
        while (members.MoveNext())
        {
            var isKnown =
                members.Is("id"u8) ? members.TryReadText(out id)
                : members.Is("alg"u8) ? members.TryReadText(out algorithm)
                : members.Is("key"u8) ? members.TryReadText(out key)
                : members.Is("at"u8) ? members.TryReadTime(out boundAt)
                : members.Is("challenge"u8) ? members.TryReadText(out challenge)
                : members.Is("until"u8) && members.TryReadTime(out expiresAt);
            if (!isKnown)
            {
                // A bound session must not be taken for an unbound one: nothing is guessed here.
                return false;
            }
        }

        if (id is null || algorithm is null || key is null || challenge is null || boundAt is null || expiresAt is null)
        {
            return false;
        }

        binding = new SessionBinding(id, algorithm, key, boundAt.Value) { Challenge = challenge, ChallengeExpiresAt = expiresAt.Value };
        return true;
    }

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("binding"u8);
        JsonText.WriteText(writer, "id"u8, Id);
        JsonText.WriteText(writer, "alg"u8, Algorithm);
        JsonText.WriteText(writer, "key"u8, PublicKey);
        JsonText.WriteTime(writer, "at"u8, BoundAt);
        JsonText.WriteText(writer, "challenge"u8, Challenge);
        JsonText.WriteTime(writer, "until"u8, ChallengeExpiresAt);
        writer.WriteEndObject();
    }
}
