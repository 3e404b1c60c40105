using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>
/// Whether a request that changes something was sent by a page of this very origin, or by no page at all: by what the browser says of it (Fetch Metadata), and
/// by <c>Origin</c> where an old browser does not.
/// </summary>
internal static class SameOrigin
{
    public static bool Holds(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"];
        if (site.Count > 0)
        {
            return site == "same-origin" || site == "none";
        }

        var origin = request.Headers.Origin;
        return origin.Count == 0 || origin == $"{request.Scheme}://{request.Host}";
    }
}
