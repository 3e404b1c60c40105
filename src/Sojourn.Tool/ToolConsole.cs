namespace Sojourn.Tool;

/// <summary>What the tool touches of the world around it, so that a test can be that world.</summary>
internal sealed record ToolConsole(TextWriter Output, TextWriter Error, TextReader Input)
{
    /// <summary>Whether the output is read by a person: colours, and tables as wide as the terminal.</summary>
    public bool IsOutputTerminal { get; init; }

    /// <summary>Whether a person sees progress as it is made.</summary>
    public bool IsErrorTerminal { get; init; }

    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
