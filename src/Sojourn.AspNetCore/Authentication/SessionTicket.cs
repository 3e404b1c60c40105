using System.Buffers;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;

namespace Sojourn.AspNetCore.Authentication;

/// <summary>A user as the session's document keeps them: JSON that a person, or a Node application, can read.</summary>
internal static class SessionTicket
{
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(string scheme, ClaimsPrincipal user, AuthenticationProperties properties)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("scheme"u8, scheme);
            writer.WriteStartArray("identities"u8);
            foreach (var identity in user.Identities)
            {
                Write(writer, identity);
            }

            writer.WriteEndArray();
            writer.WriteStartObject("properties"u8);
            foreach (var (name, value) in properties.Items)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads a ticket of the scheme; <see langword="null"/> when it is another scheme's, or of a format that this version does not know.</summary>
    public static AuthenticationTicket? Read(ReadOnlyMemory<byte> utf8, string scheme)
    {
        try
        {
            using var json = JsonDocument.Parse(utf8);
            var ticket = json.RootElement;
            if (!ticket.GetProperty("scheme"u8).ValueEquals(scheme))
            {
                return null;
            }

            var user = new ClaimsPrincipal();
            foreach (var identity in ticket.GetProperty("identities"u8).EnumerateArray())
            {
                user.AddIdentity(ReadIdentity(identity));
            }

            var properties = new AuthenticationProperties();
            foreach (var property in ticket.GetProperty("properties"u8).EnumerateObject())
            {
                properties.Items[property.Name] = property.Value.GetString();
            }

            return new AuthenticationTicket(user, properties, scheme);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            // Nobody is signed in by what cannot be read.
            return null;
        }
    }

    private static void Write(Utf8JsonWriter writer, ClaimsIdentity identity)
    {
        writer.WriteStartObject();
        WriteUnless(writer, "type"u8, identity.AuthenticationType, null);
        WriteUnless(writer, "name"u8, identity.NameClaimType, ClaimsIdentity.DefaultNameClaimType);
        WriteUnless(writer, "role"u8, identity.RoleClaimType, ClaimsIdentity.DefaultRoleClaimType);
        writer.WriteStartArray("claims"u8);
        foreach (var claim in identity.Claims)
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, claim.Type);
            writer.WriteString("value"u8, claim.Value);
            WriteUnless(writer, "kind"u8, claim.ValueType, ClaimValueTypes.String);
            WriteUnless(writer, "issuer"u8, claim.Issuer, ClaimsIdentity.DefaultIssuer);
            WriteUnless(writer, "originalIssuer"u8, claim.OriginalIssuer, claim.Issuer);
            if (claim.Properties.Count > 0)
            {
                writer.WriteStartObject("properties"u8);
                foreach (var (name, value) in claim.Properties)
                {
                    writer.WriteString(name, value);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (identity.Actor is { } actor)
        {
            writer.WritePropertyName("actor"u8);
            Write(writer, actor);
        }

        writer.WriteEndObject();
    }

    private static ClaimsIdentity ReadIdentity(JsonElement json)
    {
        var identity = new ClaimsIdentity(
            TextOf(json, "type"u8),
            TextOf(json, "name"u8) ?? ClaimsIdentity.DefaultNameClaimType,
            TextOf(json, "role"u8) ?? ClaimsIdentity.DefaultRoleClaimType);
        foreach (var item in json.GetProperty("claims"u8).EnumerateArray())
        {
            var issuer = TextOf(item, "issuer"u8) ?? ClaimsIdentity.DefaultIssuer;
            var claim = new Claim(
                TextOf(item, "type"u8) ?? throw new JsonException("A claim has a type."),
                TextOf(item, "value"u8) ?? throw new JsonException("A claim has a value."),
                TextOf(item, "kind"u8) ?? ClaimValueTypes.String,
                issuer,
                TextOf(item, "originalIssuer"u8) ?? issuer,
                identity);
            if (item.TryGetProperty("properties"u8, out var properties))
            {
                foreach (var property in properties.EnumerateObject())
                {
                    claim.Properties[property.Name] = property.Value.GetString()!;
                }
            }

            identity.AddClaim(claim);
        }

        if (json.TryGetProperty("actor"u8, out var actor))
        {
            identity.Actor = ReadIdentity(actor);
        }

        return identity;
    }

    private static void WriteUnless(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? value, string? unless)
    {
        if (value is not null && value != unless)
        {
            writer.WriteString(name, value);
        }
    }

    private static string? TextOf(JsonElement json, ReadOnlySpan<byte> name) => json.TryGetProperty(name, out var value) ? value.GetString() : null;
}
