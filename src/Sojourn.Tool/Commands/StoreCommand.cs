using System.CommandLine;
using Sojourn.Tool.Stores;

namespace Sojourn.Tool.Commands;

/// <summary>What commands on one store have in common: its options, and that it is opened and closed.</summary>
internal static class StoreCommand
{
    /// <param name="console">The world.</param>
    /// <param name="name">The command's name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="run">Does it.</param>
    /// <param name="open">Opens the store as the command needs it; as it is found when null.</param>
    public static Command Create(
        ToolConsole console, string name, string description,
        Func<ParseResult, OpenStore, Output, CancellationToken, Task<int>> run, Func<StoreDescription, OpenStore>? open = null)
    {
        var command = new Command(name, description);
        var options = StoreOptions.One();
        options.AddTo(command);
        var idle = new Option<TimeSpan?>("--idle-timeout")
        {
            Description = "The application's IdleTimeout, by which \"last seen\" is reckoned in a native layout. 00:20:00 if it is not said.",
        };
        command.Add(idle);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var description = options.Read(parsed, console);
            await using var store = open?.Invoke(description) ?? StoreFactory.Open(description, console, configure: sojourn =>
            {
                if (parsed.GetValue(idle) is { } timeout)
                {
                    sojourn.IdleTimeout = timeout;
                }
            });
            return await run(parsed, store, new Output(console, parsed), cancellationToken);
        });
        return command;
    }
}
