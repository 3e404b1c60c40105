using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.ResponseCaching;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Transport;

/// <summary>
/// Keeps responses that looked at their session out of ASP.NET Core's own caches, which decide on what they keep before the response has started, and so before
/// its headers say whose it is.
/// </summary>
internal sealed class ServerCaches : IOutputCachePolicy
{
    /// <summary>Never sent.</summary>
    private const string Mark = "sojourn=; Max-Age=0";

    public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation) => default;

    public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => default;

    /// <summary>The output cache asks at the end of the request, so that it does not matter who looked at the session, nor when.</summary>
    public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation)
    {
        context.AllowCacheStorage &= !SessionFeature.WereUsed(context.HttpContext);
        return default;
    }

    /// <summary>
    /// Response caching asks nobody, but looks at the headers when the first byte comes, and keeps nothing that sets a cookie, whatever else a handler says: so
    /// one is set until the response starts.
    /// </summary>
    /// <returns>Whether the mark is there, to be taken off.</returns>
    public static bool KeepFromResponseCache(HttpContext context)
    {
        if (context.Features[typeof(IResponseCachingFeature)] is null || context.Response.HasStarted)
        {
            return false;
        }

        context.Response.Headers.Append("Set-Cookie", Mark);
        return true;
    }

    /// <summary>The mark is not for the client.</summary>
    public static void TakeOffMark(IHeaderDictionary headers) => headers.SetCookie = headers.SetCookie.Where(static cookie => cookie != Mark).ToArray();

    internal sealed class Registration : IConfigureOptions<OutputCacheOptions>
    {
        public void Configure(OutputCacheOptions options) => options.AddBasePolicy(new ServerCaches());
    }
}
