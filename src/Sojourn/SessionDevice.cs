using System.Text.Json;
using Sojourn.Document;

namespace Sojourn;

/// <summary>
/// What the application keeps about the device that a session was signed in on, so that its user knows it again in a list. It proves nothing.
/// </summary>
public sealed record SessionDevice
{
    /// <summary>What the device calls itself: the User-Agent header, or words of the application's own; up to 512 characters, longer text is cut.</summary>
    public string? Agent
    {
        get;
        init => field = value is { Length: > MaxLength } ? value[..MaxLength] : value;
    }

    /// <summary>Where it came from, as coarsely as the application wants it: an address, a network, a city; up to 512 characters, longer text is cut.</summary>
    public string? Network
    {
        get;
        init => field = value is { Length: > MaxLength } ? value[..MaxLength] : value;
    }

    private const int MaxLength = 512;

    internal static bool TryParse(ReadOnlyMemory<byte> utf8, out SessionDevice? device)
    {
        var members = new MemberReader(utf8);
        string? agent = null, network = null;
        while (members.MoveNext())
        {
            if (members.Is("agent"u8))
            {
                members.TryReadText(out agent);
            }
            else if (members.Is("network"u8))
            {
                members.TryReadText(out network);
            }
            else
            {
                members.ReadRaw();
            }
        }

        // Only words to recognise a device by: what is not understood is left out.
        device = members.IsObject ? new SessionDevice { Agent = agent, Network = network } : null;
        return true;
    }

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("device"u8);
        JsonText.WriteText(writer, "agent"u8, Agent);
        JsonText.WriteText(writer, "network"u8, Network);
        writer.WriteEndObject();
    }
}
