using Microsoft.Extensions.Logging;

namespace Sojourn.Dashboard;

/// <summary>
/// What operators do, with their names: who ended what, and who looked at whose values. Handles and subjects alone, nothing that opens anything.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(201, LogLevel.Warning, "The operator {Operator} looked at the values of session {Handle} of {Subject}.")]
    public static partial void ValuesShown(this ILogger logger, string @operator, string handle, string? subject);

    [LoggerMessage(202, LogLevel.Information, "The operator {Operator} ended session {Handle} of {Subject}.")]
    public static partial void OneEnded(this ILogger logger, string @operator, string handle, string? subject);

    [LoggerMessage(203, LogLevel.Information, "The operator {Operator} ended all {Count} sessions of {Subject}.")]
    public static partial void SubjectEnded(this ILogger logger, string @operator, int count, string subject);

    [LoggerMessage(204, LogLevel.Warning, "The dashboard is open to everybody, because this is Development and no policy is set: "
        + "SojournDashboardOptions.ReadPolicy.")]
    public static partial void Open(this ILogger logger);

    [LoggerMessage(205, LogLevel.Error, "The store failed while a page of the dashboard was made.")]
    public static partial void StoreFailed(this ILogger logger, Exception exception);
}
