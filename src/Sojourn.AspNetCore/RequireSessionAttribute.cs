using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>
/// Lets a request through only if its session has certain entries, such as the one that sign-in sets: the guard of a NestJS application. Others get
/// 401 problem details (<c>urn:sojourn:session-required</c>), or are sent to a page. Where several stand on an endpoint, all must be met.
/// </summary>
/// <param name="entries">The names of the entries; without any, a session that an earlier request has stored is enough.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
public sealed class RequireSessionAttribute(params string[] entries) : Attribute
{
    /// <summary>The names of the entries.</summary>
    public IReadOnlyList<string> Entries { get; } = Array.TrueForAll(entries, static entry => !string.IsNullOrEmpty(entry))
        ? entries
        : throw new ArgumentException("An entry has a name.", nameof(entries));

    /// <summary>Where to send a request that is not let through, such as <c>/signin</c>; 401 when <see langword="null"/>, the default.</summary>
    public string? RedirectTo { get; init; }

    /// <summary>The name of the session that is meant; empty, the default, for the default session.</summary>
    public string Session { get; init; } = "";

    internal bool IsMetBy(Sojourn.Session session)
    {
        if (session.IsNew)
        {
            return false;
        }

        foreach (var entry in Entries)
        {
            if (!session.Contains(entry))
            {
                return false;
            }
        }

        return true;
    }

    internal Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (RedirectTo is null)
        {
            return TypedResults.Problem(
                statusCode: StatusCodes.Status401Unauthorized,
                type: "urn:sojourn:session-required",
                title: "This needs a session that has signed in.").ExecuteAsync(context);
        }

        // A form that was posted is not posted again to the page that it is sent to.
        context.Response.StatusCode = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method)
            ? StatusCodes.Status302Found
            : StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = RedirectTo;
        return Task.CompletedTask;
    }
}
