using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Sojourn.AspNetCore;

/// <summary>What an endpoint requires of the session before it lets a request through. Where several stand on an endpoint, all must be met.</summary>
public abstract class SessionRequirementAttribute : Attribute
{
    private protected SessionRequirementAttribute()
    {
    }

    /// <summary>
    /// Where to send a request that is not let through, such as <c>/signin</c>, with the address it asked for as <c>ReturnUrl</c>; 401 when
    /// <see langword="null"/>, the default.
    /// </summary>
    public string? RedirectTo { get; init; }

    /// <summary>The name of the session that is meant; empty, the default, for the default session.</summary>
    public string Session { get; init; } = "";

    private protected abstract string Type { get; }

    private protected abstract string Title { get; }

    private protected virtual int Status => StatusCodes.Status401Unauthorized;

    internal abstract bool IsMetBy(Sojourn.Session session, TimeProvider time);

    internal Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (RedirectTo is null)
        {
            return TypedResults.Problem(statusCode: Status, type: Type, title: Title).ExecuteAsync(context);
        }

        // A form that was posted is not posted again to the page that it is sent to, nor can anybody come back to it.
        var isGet = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        context.Response.StatusCode = isGet ? StatusCodes.Status302Found : StatusCodes.Status303SeeOther;
        var page = RedirectTo.StartsWith('/') ? context.Request.PathBase + RedirectTo : RedirectTo;
        context.Response.Headers.Location = isGet
            ? QueryHelpers.AddQueryString(page, "ReturnUrl", context.Request.PathBase + context.Request.Path + context.Request.QueryString)
            : page;
        return Task.CompletedTask;
    }
}
