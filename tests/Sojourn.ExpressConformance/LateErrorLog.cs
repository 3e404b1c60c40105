namespace Sojourn.ExpressConformance;

/// <summary>What express-session hands to next(err) after the head, Sojourn writes to the log: a failed touch, a failed late save.</summary>
internal sealed class LateErrorLog(List<string> lateErrors) : ILoggerProvider, ILogger
{
    private const int TouchFailed = 2;
    private const int LateCommitFailed = 103;

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (exception is not null && eventId.Id is TouchFailed or LateCommitFailed)
        {
            lateErrors.Add(Operations.MessageOf(exception!));
        }
    }

    public void Dispose()
    {
    }
}
