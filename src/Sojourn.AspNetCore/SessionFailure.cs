using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Sojourn.AspNetCore.DeviceBinding;

namespace Sojourn.AspNetCore;

/// <summary>What a visitor gets when the session could not be loaded or saved: problem details, or a bare status where no body can be sent any more.</summary>
internal static class SessionFailure
{
    public static bool IsOurs(Exception? e) => e is SessionStoreException or SessionEndedException;

    public static Task AnswerAsync(HttpContext context, Exception failure, ILogger logger)
    {
        AnswerBare(context, failure, logger);
        if (DeviceRefusal.Of(failure) is { } refusal)
        {
            return refusal.WriteBodyAsync(context);
        }

        var isEnded = failure is SessionEndedException;
        return TypedResults.Problem(
            statusCode: context.Response.StatusCode,
            type: isEnded ? "urn:sojourn:session-ended" : "urn:sojourn:session-unavailable",
            title: isEnded ? "The session ended while the request ran. Nothing was saved." : "The session is not available right now. Please try again.")
            .ExecuteAsync(context);
    }

    /// <summary>Status and headers alone: also while the response starts, whatever it was to be.</summary>
    public static void AnswerBare(HttpContext context, Exception failure, ILogger logger)
    {
        var response = context.Response;
        response.Clear();
        response.Headers.CacheControl = "no-store";
        if (DeviceRefusal.Of(failure) is { } refusal)
        {
            refusal.WriteHeaders(response);
        }
        else if (failure is SessionEndedException)
        {
            response.StatusCode = StatusCodes.Status409Conflict;
            logger.SessionEnded();
        }
        else
        {
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            response.Headers.RetryAfter = "1";
            logger.SessionFailed(response.StatusCode, failure);
        }
    }
}
