namespace SharedLogin;

/// <summary>Guards the forms of both applications: browsers say where a request comes from, and a page of another site may not write here.</summary>
public sealed class SameOriginWrites(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || IsOurs(request))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status403Forbidden;
        return context.Response.WriteAsync("This form was sent by another site.");
    }

    /// <summary>What sends neither header is no browser, and has no visitor's cookie to misuse.</summary>
    private static bool IsOurs(HttpRequest request) =>
        request.Headers["Sec-Fetch-Site"].ToString() is { Length: > 0 } site ? site is "same-origin" or "none"
        : request.Headers.Origin.ToString() is not { Length: > 0 } origin || origin == $"{request.Scheme}://{request.Host}";
}
