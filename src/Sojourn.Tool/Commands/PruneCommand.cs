using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Storage;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn prune: removes what has expired, now.</summary>
internal static class PruneCommand
{
    public static Command Create(ToolConsole console) => StoreCommand.Create(
        console, "prune", "Removes sessions that have expired. Applications do so by themselves every PruneInterval.",
        async (_, store, output, cancellationToken) =>
        {
            if (store.Store.As<IExpiringStore>() is not { } expiring)
            {
                output.Write(
                    new JsonObject { ["pruned"] = 0, ["byItself"] = true },
                    text => text.WriteLine($"{store.Description.Address.Database} removes expired sessions by itself."));
                return ExitCode.Done;
            }

            var pruned = await expiring.PruneAsync(console.Time.GetUtcNow(), cancellationToken);
            output.Write(
                new JsonObject { ["pruned"] = pruned, ["byItself"] = false },
                text => text.WriteLine($"{Output.Count(pruned, "expired session", "expired sessions")} removed."));
            return ExitCode.Done;
        });
}
