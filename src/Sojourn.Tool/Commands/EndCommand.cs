using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Administration;
using Sojourn.Events;
using Sojourn.Tool.Stores;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn end: ends sessions from elsewhere.</summary>
internal static class EndCommand
{
    public static Command Create(ToolConsole console)
    {
        var handle = new Option<string?>("--handle") { Description = "The session of this handle, or of this fingerprint (~…)." };
        var subject = new Option<string?>("--subject") { Description = "The sessions of this subject." };
        var label = new Option<string?>("--label") { Description = "The sessions of this label, such as sid:…" };
        var except = new Option<string?>("--except") { Description = "Not the session of this handle." };
        var everything = new Option<bool>("--everything") { Description = "Every session there is." };
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask." };
        var command = StoreCommand.Create(
            console, "end", "Ends sessions: by handle, subject or label, or all of them. Asks first.", async (parsed, store, output, cancellationToken) =>
            {
                var filter = new SessionFilter
                {
                    Handle = parsed.GetValue(handle),
                    Subject = parsed.GetValue(subject),
                    Label = parsed.GetValue(label),
                    Except = parsed.GetValue(except),
                };
                var isEverything = parsed.GetValue(everything);
                if (isEverything == (filter is not { Handle: null, Subject: null, Label: null, Except: null }))
                {
                    throw new ToolException("Say which sessions end: --handle, --subject or --label, with --except or without; or --everything, alone.");
                }

                if (!isEverything && filter is { Handle: null, Subject: null, Label: null })
                {
                    throw new ToolException("--except alone names no session: say --handle, --subject or --label as well.");
                }

                await AskAsync(console, parsed.GetValue(yes), isEverything ? "Every session" : Describe(filter), store);
                var ended = isEverything ? await store.Administration.EndEverythingAsync(SessionEndReason.ByOperator, cancellationToken)
                    : filter.Handle is { } name && (name.StartsWith('~') || store.Description.Layout.IsKeyedById)
                        ? await EndOneAsync(store, filter, name, cancellationToken)
                    : await store.Administration.EndAsync(filter, SessionEndReason.ByOperator, cancellationToken);
                output.Write(new JsonObject { ["ended"] = ended }, text => text.WriteLine($"{Output.Count(ended, "session", "sessions")} ended."));
                return ended == 0 && filter.Handle is not null ? ExitCode.No : ExitCode.Done;
            });
        foreach (var option in new Option[] { handle, subject, label, except, everything, yes })
        {
            command.Add(option);
        }

        return command;
    }

    /// <summary>A session that no label leads to.</summary>
    private static async Task<long> EndOneAsync(OpenStore store, SessionFilter filter, string name, CancellationToken cancellationToken)
    {
        if (filter is not { Subject: null, Label: null, Except: null })
        {
            throw new ToolException("A session that is found by looking at all of them is named by --handle alone.");
        }

        return await FoundSession.FindAsync(store, name, cancellationToken) is not { } session ? 0
            : session.Info?.Handle is { } handle && !store.Description.Layout.IsKeyedById
                ? await store.Administration.EndAsync(new SessionFilter { Handle = handle }, SessionEndReason.ByOperator, cancellationToken)
            : await store.Sessions.EndRecordAsync(session.Key, session.Record, session.Info, SessionEndReason.ByOperator, cancellationToken) ? 1 : 0;
    }

    private static string Describe(SessionFilter filter) => string.Join(", ", new (string, string?)[]
    {
        ("The session " + filter.Handle, filter.Handle),
        ((filter.Handle is null ? "The sessions of " : "of ") + filter.Subject, filter.Subject),
        ((filter is { Handle: null, Subject: null } ? "The sessions labelled " : "labelled ") + filter.Label, filter.Label),
        ("but not " + filter.Except, filter.Except),
    }.Where(static part => part.Item2 is not null).Select(static part => part.Item1));

    private static async Task AskAsync(ToolConsole console, bool isSure, string what, OpenStore store)
    {
        if (isSure)
        {
            return;
        }

        await console.Error.WriteAsync($"{Output.Safe(what)} in {store.Description.Display} will end. Sure? [y/N] ");
        if (await console.Input.ReadLineAsync() is not { } answer || answer.Trim().ToUpperInvariant() is not ("Y" or "YES"))
        {
            throw new ToolException("Nothing was ended. Where nobody can answer, say --yes.", ExitCode.Declined);
        }
    }
}
