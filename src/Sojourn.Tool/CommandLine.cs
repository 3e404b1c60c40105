using System.CommandLine;
using Microsoft.Extensions.Options;
using Sojourn.Storage;
using Sojourn.Tool.Commands;

namespace Sojourn.Tool;

/// <summary>The commands, and what their failures are told as.</summary>
internal static class CommandLine
{
    /// <summary>After Ctrl+C: a bench has its sessions to delete.</summary>
    private static readonly TimeSpan TimeToTidyUp = TimeSpan.FromMinutes(1);

    public static RootCommand Create(ToolConsole console)
    {
        var root = new RootCommand(
            "Sessions in any store of Sojourn or of express-session: listed, shown, ended, counted, moved, watched. Prints nothing that could be replayed.")
        {
            ListCommand.Create(console),
            ShowCommand.Create(console),
            StatsCommand.Create(console),
            EndCommand.Create(console),
            PruneCommand.Create(console),
            SchemaCommand.Create(console),
            SecretCommand.Create(console),
            MigrateCommand.Create(console),
            WatchCommand.Create(console),
            DoctorCommand.Create(console),
            BenchCommand.Create(console),
            CompletionCommand.Create(console),
        };
        root.Add(Output.Json);
        root.HelpName = "sojourn";
        return root;
    }

    public static async Task<int> RunAsync(string[] arguments, ToolConsole console, CancellationToken cancellationToken = default)
    {
        // A handle may begin with '-', which must not be read as several one-letter options.
        var parsed = Create(console).Parse(arguments, new ParserConfiguration { EnablePosixBundling = false });
        try
        {
            var code = await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = console.Output,
                    Error = console.Error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = TimeToTidyUp,
                },
                cancellationToken);
            return parsed.Errors.Count > 0 ? ExitCode.Misuse : code;
        }
        catch (Exception e)
        {
            var (code, message) = Explain(e);
            await console.Error.WriteLineAsync(message.AsMemory(), CancellationToken.None);
            return code;
        }
    }

    private static (int Code, string Message) Explain(Exception e) => e switch
    {
        ToolException tool => (tool.ExitCode, tool.Message),
        OperationCanceledException => (ExitCode.Interrupted, "Interrupted."),
        NotSupportedException or ArgumentException or OptionsValidationException => (ExitCode.Misuse, e.Message),
        SessionSchemaException => (ExitCode.Failed, e.Message + Environment.NewLine + "Or: sojourn schema --apply"),
        _ => (ExitCode.Failed, e.Message + (e.InnerException is { } inner && inner.Message != e.Message ? " " + inner.Message : "")),
    };
}
