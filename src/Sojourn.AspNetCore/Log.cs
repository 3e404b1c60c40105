using Microsoft.Extensions.Logging;

namespace Sojourn.AspNetCore;

/// <summary>What the web side logs. Never an id, a token or an entry's value.</summary>
internal static partial class Log
{
    [LoggerMessage(101, LogLevel.Warning, "Several tokens (cookies named {Cookie}, or headers) were sent that verify for different sessions, or too many to "
        + "try. All are refused.")]
    public static partial void AmbiguousTokens(this ILogger logger, string cookie);

    [LoggerMessage(102, LogLevel.Error, "The session could not be loaded or saved. The visitor gets {Status}.")]
    public static partial void SessionFailed(this ILogger logger, int status, Exception exception);

    [LoggerMessage(103, LogLevel.Error, "The session could not be saved after the response had started. The connection is broken off, so that the visitor "
        + "does not take it for saved.")]
    public static partial void LateCommitFailed(this ILogger logger, Exception exception);

    [LoggerMessage(104, LogLevel.Warning, "The request came over plain http, and the session's cookie is always Secure: browsers will not send it back. Serve "
        + "https; behind a proxy, forward the scheme (UseForwardedHeaders).")]
    public static partial void PlainHttp(this ILogger logger);

    [LoggerMessage(105, LogLevel.Information, "No secret is configured. In Development one is made and kept in {Path}.")]
    public static partial void DevelopmentSecret(this ILogger logger, string path);

    [LoggerMessage(106, LogLevel.Information, "A request changed a session that ended meanwhile. Its changes are dropped and it gets 409.")]
    public static partial void SessionEnded(this ILogger logger);

    [LoggerMessage(107, LogLevel.Warning, "A ticket of cookie authentication could not be renewed. It is good for as long as before; the next request tries "
        + "again.")]
    public static partial void TicketNotRenewed(this ILogger logger, Exception exception);

    [LoggerMessage(108, LogLevel.Warning, "An identity provider's logout request was refused: {Problem}")]
    public static partial void LogoutTokenRefused(this ILogger logger, string problem);

    [LoggerMessage(109, LogLevel.Warning, "A session that is bound to a device was used without the device's proof. The request was refused, and the session "
        + "left as it is.")]
    public static partial void UnboundUse(this ILogger logger);

    [LoggerMessage(110, LogLevel.Information, "A session was bound to its device.")]
    public static partial void DeviceBound(this ILogger logger);

    [LoggerMessage(111, LogLevel.Information, "A device's registration or proof was refused: {Result}.")]
    public static partial void BindingRefused(this ILogger logger, string result);

    [LoggerMessage(112, LogLevel.Error, "A device's registration or proof could not be looked at. The browser gets 503 and comes again.")]
    public static partial void BindingUnavailable(this ILogger logger, Exception exception);
}
