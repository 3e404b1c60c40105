using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>What is kept of the device that a request comes from, as far as the options allow it.</summary>
internal static class RequestDevice
{
    public static SessionDevice? Of(HttpContext context, DeviceKeeping keeping) => keeping == DeviceKeeping.Nothing ? null : new SessionDevice
    {
        Agent = context.Request.Headers.UserAgent.ToString() is { Length: > 0 } agent ? agent : null,
        Network = keeping == DeviceKeeping.AgentAndNetwork ? NetworkOf(context.Connection.RemoteIpAddress) : null,
    };

    /// <summary>The connection's own address, never what a header claims: forwarded headers are for the application's middleware to trust.</summary>
    private static string? NetworkOf(IPAddress? address)
    {
        if (address is { IsIPv4MappedToIPv6: true })
        {
            address = address.MapToIPv4();
        }

        Span<byte> bytes = stackalloc byte[16];
        if (address is null || !address.TryWriteBytes(bytes, out var length))
        {
            return null;
        }

        var kept = address.AddressFamily == AddressFamily.InterNetwork ? 3 : 6;
        bytes[kept..length].Clear();
        return $"{new IPAddress(bytes[..length])}/{kept * 8}";
    }
}
