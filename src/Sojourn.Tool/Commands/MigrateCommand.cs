using System.CommandLine;
using Sojourn.Storage;
using Sojourn.Tool.Migrating;
using Sojourn.Tool.Stores;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn migrate: copies all sessions of one store to another.</summary>
internal static class MigrateCommand
{
    public static Command Create(ToolConsole console)
    {
        var (from, to) = (StoreOptions.From(), StoreOptions.To());
        var application = new Option<string?>("--application-name")
        {
            Description = "The application's ApplicationName, which keys are made with: needed from the layout of an npm store to a native one.",
        };
        var session = new Option<string>("--session-name")
        {
            Description = "The name of the session, where the application has several side by side.",
            DefaultValueFactory = static _ => "",
        };
        var checkpoint = new Option<FileInfo?>("--checkpoint")
        {
            Description = "A file that says how far it has come: run again with it, the migration goes on there. It is deleted at the end.",
        };
        var refresh = new Option<bool>("--refresh")
        {
            Description = "Replace copies of an earlier run that are older than what is at the old store now; for a new store that no application uses yet. "
                + "Of two of a session the one that expires later is the newer.",
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Change nothing: count what would be done." };
        var command = new Command("migrate", "Copies the sessions of one store to another. The old store is left as it is, and so is what is at the new one.");
        from.AddTo(command);
        to.AddTo(command);
        foreach (var option in new Option[] { application, session, checkpoint, refresh, dryRun })
        {
            command.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (output, source, target, isDryRun) =
                (new Output(console, parsed), from.Read(parsed, console), to.Read(parsed, console), parsed.GetValue(dryRun));
            var keyOf = KeyOf(source, target, parsed.GetValue(application), parsed.GetValue(session)!);
            await using var old = StoreFactory.Open(source, console);
            await using var next = isDryRun
                ? await OpenIfThereAsync(target, console, output, cancellationToken)
                : StoreFactory.Open(target, console, mayCreate: true);
            if (!isDryRun && next!.Store.As<ISchemaStore>() is { } schema)
            {
                await schema.EnsureSchemaAsync(cancellationToken);
            }

            string[] asked = [.. source.Settings, "", .. target.Settings, "", parsed.GetValue(application) ?? "", parsed.GetValue(session)!];
            var file = isDryRun ? null : parsed.GetValue(checkpoint)?.FullName;
            var name = $"{source.Display} to {target.Display}, {FoundSession.Fingerprint(string.Join('\n', asked))}";
            var start = file is null ? Checkpoint.Beginning : await Checkpoint.ReadAsync(file, name, cancellationToken);
            var migration = new Migration(old, next?.Store, keyOf, parsed.GetValue(refresh), isDryRun, console.Time);
            var counts = start.Counts;
            await ProgressBar.RunAsync(
                output, isDryRun ? "Counting" : "Copying", await old.Administration.CountAsync(cancellationToken), advance => migration.RunAsync(
                start,
                place => file is null ? Task.CompletedTask : place.WriteAsync(file, name, CancellationToken.None),
                advance,
                (fingerprint, e) => console.Error.WriteLine($"{fingerprint} could not be copied: {e.Message}"),
                cancellationToken));
            if (file is not null)
            {
                File.Delete(file);
            }

            var json = Checkpoint.CountsJson(counts);
            (json["from"], json["to"], json["dryRun"]) = (source.Display, target.Display, isDryRun);
            output.Write(json, text => text.Write(Output.Facts(
            [
                ("from", source.Display),
                ("to", target.Display),
                .. MigrationCounts.Outcomes.Where(outcome => counts[outcome] > 0 || outcome == MigrationOutcome.Copied).Select(
                    outcome => (Describe(outcome, isDryRun), (string?)Output.Number(counts[outcome]))),
            ])));
            return counts[MigrationOutcome.Failed] > 0 ? ExitCode.Failed : ExitCode.Done;
        });
        return command;
    }

    /// <summary>A key can be made of an id, and an id of nothing.</summary>
    private static Func<string, string> KeyOf(StoreDescription from, StoreDescription to, string? applicationName, string sessionName)
    {
        if (from.Address == to.Address && from.Layout == to.Layout && from.Settings.SequenceEqual(to.Settings, StringComparer.Ordinal))
        {
            throw new ToolException("Both stores are the same one.");
        }

        if (from.Layout.IsKeyedById == to.Layout.IsKeyedById)
        {
            return static key => key;
        }

        if (to.Layout.IsKeyedById)
        {
            throw new ToolException(
                $"From a native layout to {to.Layout.Name}'s there is no way: {to.Layout.Name} files sessions under their ids, and a native layout keeps only "
                + "hashes of them. "
                + "An application that uses MigratingFrom moves such sessions as they are used, since their visitors bring the ids along.");
        }

        return string.IsNullOrEmpty(applicationName)
            ? throw new ToolException(
                $"From {from.Layout.Name}'s layout to a native one, keys are made of the ids and the application's name: say --application-name, as the "
                + "application has it in SojournOptions.ApplicationName (by default the name of its assembly).")
            : new SessionId(new SojournOptions { ApplicationName = applicationName, SessionName = sessionName }.KeyScope).KeyOf;
    }

    /// <summary>Null where a real run would have to make tables or a file first: then nothing is there.</summary>
    private static async Task<OpenStore?> OpenIfThereAsync(StoreDescription target, ToolConsole console, Output output, CancellationToken cancellationToken)
    {
        OpenStore? store = null;
        try
        {
            store = StoreFactory.Open(target, console);
            if (store.Store.As<ISchemaStore>() is { } schema)
            {
                await schema.EnsureSchemaAsync(cancellationToken);
            }

            return store;
        }
        catch (Exception e) when (e is SessionSchemaException or ToolException { ExitCode: ExitCode.Failed })
        {
            await (store?.DisposeAsync() ?? default);
            if (!output.IsJson)
            {
                await console.Error.WriteLineAsync("The new store lacks its tables or its file, which would be made: nothing is there yet.");
            }

            return null;
        }
    }

    private static string Describe(MigrationOutcome outcome, bool isDryRun) => (isDryRun ? "would be " : "") + outcome switch
    {
        MigrationOutcome.Copied => "copied",
        MigrationOutcome.Replaced => "replaced, an older copy",
        MigrationOutcome.Kept => "left as it is there",
        MigrationOutcome.Expired => "left behind, expired",
        MigrationOutcome.Ended => "left out, destroyed meanwhile",
        MigrationOutcome.Unreadable => "left behind, no session",
        _ => "missing, failed",
    };
}
