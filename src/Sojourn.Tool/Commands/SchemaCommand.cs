using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Storage;
using Sojourn.Tool.Stores;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn schema: prints the script that makes what a store needs, or has it run.</summary>
internal static class SchemaCommand
{
    public static Command Create(ToolConsole console)
    {
        var command = new Command(
            "schema", "Prints the script that makes the tables or indexes of a store; does not connect to it. With --apply, makes what is missing.");
        var options = StoreOptions.One();
        options.AddTo(command);
        var apply = new Option<bool>("--apply") { Description = "Make what is missing, and check the rest. Harmless when repeated." };
        command.Add(apply);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, store) = (new Output(console, parsed), options.Read(parsed, console));
            if (parsed.GetValue(apply))
            {
                await ApplyAsync(store, console, cancellationToken);
                output.Write(new JsonObject { ["store"] = store.Display, ["applied"] = true }, text => text.WriteLine($"{store.Display} has what it needs."));
                return ExitCode.Done;
            }

            var script = store.Layout.Script?.Invoke(store.Layout.Section(store.Address.ConnectionString, store.Settings));
            output.Write(
                new JsonObject { ["store"] = store.Display, ["script"] = script },
                text =>
                    console.Output.WriteLine(
                        script ?? (store.Layout.Database is "sqlite" ? "The store makes its file by itself." : "The store needs nothing made.")));
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task ApplyAsync(StoreDescription description, ToolConsole console, CancellationToken cancellationToken)
    {
        await using var store = StoreFactory.Open(description, console, mayCreate: true);
        if (store.Store.As<ISchemaStore>() is { } schema)
        {
            await schema.EnsureSchemaAsync(cancellationToken);
        }
        else
        {
            // SQLite's file is made by the first call; of Redis this tells that it is there.
            await store.Store.ReadAsync("no session has this key", cancellationToken);
        }
    }
}
