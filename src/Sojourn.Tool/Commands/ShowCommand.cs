using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Document;
using Sojourn.Tool.Stores;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn show: one session.</summary>
internal static class ShowCommand
{
    public static Command Create(ToolConsole console)
    {
        var name = new Argument<string>("session")
        {
            Description = "Its handle, or its fingerprint (~…) as the list shows it; to find one by its fingerprint all are looked at.",
        };
        var values = new Option<bool>("--values") { Description = "Print what the entries hold, too, which may be anybody's personal data." };
        var command = StoreCommand.Create(
            console, "show", "Shows one session: its times, and its entries' names and sizes.", async (parsed, store, output, cancellationToken) =>
            {
                var session = await FoundSession.FindAsync(store, parsed.GetValue(name)!, cancellationToken)
                    ?? throw new ToolException("There is no such session, or it has expired.", ExitCode.No);
                var entries = Entries(session);
                var json = session.ToJson();
                json.Remove("names");
                json["store"] = store.Description.Display;
                json["labels"] = new JsonArray([.. session.Record.Labels.Select(static label => JsonValue.Create(label))]);
                json["entries"] = new JsonArray([.. entries.Select(entry =>
                {
                    var shown = new JsonObject { ["name"] = entry.Name, ["bytes"] = entry.Value.Length };
                    if (parsed.GetValue(values))
                    {
                        shown["value"] = JsonNode.Parse(entry.Value.Span);
                    }

                    return shown;
                })]);
                output.Write(json, text => Write(text, store, session, entries, parsed.GetValue(values)));
                return ExitCode.Done;
            });
        command.Add(name);
        command.Add(values);
        return command;
    }

    private static List<(string Name, ReadOnlyMemory<byte> Value)> Entries(FoundSession session)
    {
        var document = SessionDocument.Of(session.Record);
        return [.. (document?.Names() ?? []).Select(name => (name, document!.TryGet(name, out var value) ? value : default))];
    }

    private static void Write(
        IAnsiConsole text, OpenStore store, FoundSession session, List<(string Name, ReadOnlyMemory<byte> Value)> entries, bool withValues)
    {
        var info = session.Info;
        text.Write(Output.Facts(
            ("store", store.Description.Display),
            ("handle", info is null ? null : info.Handle ?? "none"),
            ("fingerprint", FoundSession.Fingerprint(session.Key)),
            ("subject", info is null ? null : info.Subject ?? "nobody is signed in"),
            ("acting", info?.Impersonator),
            ("created", Output.Time(info?.CreatedAt)),
            ("signed in", Output.Time(info?.SignedInAt)),
            ("last seen", Output.Time(info?.LastSeenAt)),
            ("expires", Output.Time(session.Record.ExpiresAt)),
            ("absolutely", Output.Time(info?.AbsoluteExpiresAt)),
            ("agent", info?.Device?.Agent),
            ("network", info?.Device?.Network),
            ("labels", session.Record.Labels.IsEmpty ? null : string.Join(", ", session.Record.Labels)),
            ("bytes", Output.Number(session.Record.Document.Length))));
        if (info is null)
        {
            text.WriteLine("The document cannot be read: it is sealed, or no session.");
            return;
        }

        text.WriteLine();
        var table = withValues ? Output.Table("entry", "bytes", "value") : Output.Table("entry", "bytes");
        foreach (var (name, value) in entries)
        {
            Output.AddRow(
                table, withValues ? [name, Output.Number(value.Length), System.Text.Encoding.UTF8.GetString(value.Span)] : [name, Output.Number(value.Length)]);
        }

        text.Write(table);
    }
}
