namespace Sojourn.Tool;

/// <summary>What the tool ends with. Documented in docs/command-line.md: never given another meaning.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The answer is no: there is no such session, a check failed.</summary>
    public const int No = 1;

    /// <summary>The command line is wrong, or asks for what cannot be done.</summary>
    public const int Misuse = 2;

    /// <summary>The store or the application failed, cannot be reached, or lacks a table or a right.</summary>
    public const int Failed = 3;

    /// <summary>The question was not answered with yes: nothing was done.</summary>
    public const int Declined = 4;

    public const int Interrupted = 130;
}

/// <summary>What cannot be done, as a sentence for whoever asked for it.</summary>
internal sealed class ToolException(string message, int exitCode = ExitCode.Misuse) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
