using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>The stylesheet and the script, as they are built into the assembly.</summary>
internal static class Assets
{
    private static readonly Dictionary<string, (byte[] Bytes, string Type)> Files = new(StringComparer.Ordinal)
    {
        ["dashboard.css"] = (Read("dashboard.css"), "text/css; charset=utf-8"),
        ["dashboard.js"] = (Read("dashboard.js"), "text/javascript; charset=utf-8"),
    };

    /// <summary>Changes with the files, so that browsers may keep them for as long as they like.</summary>
    public static string Version { get; } = Convert.ToHexStringLower(
        SHA256.HashData([.. Files.OrderBy(file => file.Key, StringComparer.Ordinal).SelectMany(file => file.Value.Bytes)]).AsSpan(0, 6));

    public static async Task ServeAsync(HttpContext context)
    {
        DashboardHeaders.Write(context.Response);
        if (context.Request.RouteValues["name"] is not string name || !Files.TryGetValue(name, out var file))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.Headers.Remove("Pragma");
        context.Response.Headers.CacheControl = context.Request.Query["v"] == Version ? "private, max-age=31536000, immutable" : "no-cache";
        context.Response.ContentType = file.Type;
        context.Response.ContentLength = file.Bytes.Length;
        await context.Response.Body.WriteAsync(file.Bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private static byte[] Read(string name)
    {
        using var stream = typeof(Assets).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
