using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// Why a request does not get its session, which is there: it goes the way of a session that could not be loaded, so that no handler runs and nobody is taken
/// for a stranger, who would be given a new session in place of the one in their browser.
/// </summary>
internal sealed class DeviceRefusal(int status, string type, string title) : SessionStoreException(title)
{
    /// <summary>
    /// What a page that is asked for by a link from elsewhere is answered with: it asks again by itself, from its own origin, and browsers refresh for that.
    /// </summary>
    private const string Again = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>One moment</title></html>""";

    /// <summary>Whether a page was asked for, which then asks again by itself.</summary>
    public bool AsksAgain { get; init; }

    /// <summary>
    /// Forgets the cookies of a session that can be of no more use in this browser, so that its user can sign in anew. The session itself stays: who is refused
    /// may be somebody with a copy.
    /// </summary>
    public Action<HttpResponse>? Forget { get; init; }

    /// <summary>The refusal behind a failure, if it is one.</summary>
    public static DeviceRefusal? Of(Exception failure) => failure as DeviceRefusal ?? failure.InnerException as DeviceRefusal;

    /// <summary>Status and headers alone.</summary>
    public void WriteHeaders(HttpResponse response)
    {
        response.StatusCode = status;
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            response.Headers.RetryAfter = "1";
        }

        Forget?.Invoke(response);
    }

    /// <summary>What comes after the headers.</summary>
    public Task WriteBodyAsync(HttpContext context)
    {
        if (!AsksAgain)
        {
            return TypedResults.Problem(statusCode: status, type: type, title: Message).ExecuteAsync(context);
        }

        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        return context.Response.WriteAsync(Again);
    }
}
