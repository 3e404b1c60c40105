using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Sojourn.AspNetCore.Authentication.BackChannel;

/// <summary>A logout token whose signature and claims are right: OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.</summary>
/// <param name="Issuer">Who says so.</param>
/// <param name="Subject">Who is logged out; <see langword="null"/> where the token names a session alone.</param>
/// <param name="SessionId">The provider's session that has ended; <see langword="null"/> where all of the subject's have.</param>
/// <param name="Id">The token's own id (<c>jti</c>).</param>
internal sealed record LogoutToken(string Issuer, string? Subject, string? SessionId, string Id)
{
    private const string Event = "http://schemas.openid.net/event/backchannel-logout";
    private const int MaxLength = 16 * 1024;
    private const int MaxTextLength = 200;
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);
    private static readonly SearchValues<char> Base64UrlCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <exception cref="LogoutTokenException">The token is not to be believed.</exception>
    public static LogoutToken Validate(string token, SojournBackChannelLogoutOptions options, JsonElement keys, DateTimeOffset now)
    {
        var parts = token.Length <= MaxLength ? token.Split('.') : [];
        Require(parts.Length == 3, "is no signed JWT");
        using var header = ParseObject(parts[0]);
        RequireHeader(header.RootElement, options);
        var signed = Encoding.ASCII.GetBytes(token[..token.LastIndexOf('.')]);
        Require(JsonWebSignature.Verify(header.RootElement, signed, Decode(parts[2]), keys), "is not signed by a key of the provider");
        using var claims = ParseObject(parts[1]);
        return ReadClaims(claims.RootElement, options, now);
    }

    private static void RequireHeader(JsonElement header, SojournBackChannelLogoutOptions options)
    {
        // What must be understood is not: there is no extension that this reads.
        Require(!header.TryGetProperty("crit"u8, out _), "has critical headers that are not known here");
        if (header.TryGetProperty("typ"u8, out _))
        {
            var type = Text(header, "typ"u8);
            type = type.StartsWith("application/", StringComparison.OrdinalIgnoreCase) ? type["application/".Length..] : type;
            Require(options.Types.Contains(type, StringComparer.OrdinalIgnoreCase), "is a JWT of another type");
        }
    }

    private static LogoutToken ReadClaims(JsonElement claims, SojournBackChannelLogoutOptions options, DateTimeOffset now)
    {
        Require(Text(claims, "iss"u8) == options.Issuer, "comes from another issuer");
        Require(HasAudience(claims, options.ClientId), "is for another client");
        var (issued, expires) = (Time(claims, "iat"u8), Time(claims, "exp"u8));
        Require(issued <= now + Skew, "was issued in the future");
        Require(issued >= now - options.MaxAge - Skew, "is too old");
        Require(expires > now - Skew && expires > issued, "has expired");
        Require(claims.TryGetProperty("events"u8, out var events) && events.ValueKind == JsonValueKind.Object
            && events.TryGetProperty(Event, out var logout) && logout.ValueKind == JsonValueKind.Object, "does not say that it is a logout");
        Require(!claims.TryGetProperty("nonce"u8, out _), "has a nonce, as an ID token has");
        var (subject, session) = (OptionalText(claims, "sub"u8), OptionalText(claims, "sid"u8));
        Require(subject is not null || session is not null, "names neither a subject nor a session");
        return new LogoutToken(options.Issuer, subject, session, Text(claims, "jti"u8));
    }

    private static bool HasAudience(JsonElement claims, string clientId)
    {
        if (!claims.TryGetProperty("aud"u8, out var audience))
        {
            return false;
        }

        return audience.ValueKind switch
        {
            JsonValueKind.String => audience.ValueEquals(clientId),
            JsonValueKind.Array => audience.EnumerateArray().Any(one => one.ValueKind == JsonValueKind.String && one.ValueEquals(clientId)),
            _ => false,
        };
    }

    private static DateTimeOffset Time(JsonElement claims, ReadOnlySpan<byte> name)
    {
        double seconds = 0;
        Require(
            claims.TryGetProperty(name, out var value)
                && value.ValueKind == JsonValueKind.Number
                && value.TryGetDouble(out seconds)
                && seconds is >= 0 and < 1e11,
            "has no iat or exp");
        return DateTimeOffset.UnixEpoch.AddSeconds(seconds);
    }

    private static string? OptionalText(JsonElement json, ReadOnlySpan<byte> name) => json.TryGetProperty(name, out _) ? Text(json, name) : null;

    private static string Text(JsonElement json, ReadOnlySpan<byte> name)
    {
        try
        {
            return json.TryGetProperty(name, out var value)
                && value.ValueKind == JsonValueKind.String
                && value.GetString() is { Length: > 0 and <= MaxTextLength } text
                ? text
                : throw new LogoutTokenException("lacks a text, or has one that is empty or too long");
        }
        catch (InvalidOperationException)
        {
            throw new LogoutTokenException("has a text that is no Unicode");
        }
    }

    private static JsonDocument ParseObject(string part)
    {
        try
        {
            var json = JsonDocument.Parse(Decode(part), Strict);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                return json;
            }

            json.Dispose();
        }
        catch (JsonException)
        {
        }

        throw new LogoutTokenException("is no signed JWT");
    }

    private static byte[] Decode(string part)
    {
        Require(part.Length % 4 != 1 && !part.AsSpan().ContainsAnyExcept(Base64UrlCharacters), "is no signed JWT");
        try
        {
            return Base64Url.DecodeFromChars(part);
        }
        catch (FormatException)
        {
            throw new LogoutTokenException("is no signed JWT");
        }
    }

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new LogoutTokenException(problem);
        }
    }
}

/// <summary>Why a logout token is refused: <c>The logout token …</c>.</summary>
internal sealed class LogoutTokenException(string problem) : Exception($"The logout token {problem}.");
