using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Sojourn.Tool.Stores;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn list: sessions, all or those of a subject.</summary>
internal static class ListCommand
{
    public static Command Create(ToolConsole console)
    {
        var subject = new Option<string?>("--subject") { Description = "The sessions of this subject alone. Needs a native layout." };
        var limit = new Option<int>("--limit") { Description = "How many at the most; 0 for all.", DefaultValueFactory = static _ => 100 };
        var command = StoreCommand.Create(console, "list", "Lists sessions that have not expired.", async (parsed, store, output, cancellationToken) =>
        {
            var (sessions, unreadable, isCut) = (new List<FoundSession>(), 0L, false);
            var most = parsed.GetValue(limit);
            if (most < 0)
            {
                throw new ToolException("--limit is 0, for all, or more.");
            }

            await foreach (var session in FindAsync(store, parsed.GetValue(subject), most, cancellationToken))
            {
                if (session.Info is null)
                {
                    unreadable++;
                }
                else if (store.Sessions.Finder.IsAlive(session.Info))
                {
                    if (most > 0 && sessions.Count == most)
                    {
                        isCut = true;
                        break;
                    }

                    sessions.Add(session);
                }
            }

            output.Write(
                new JsonObject
                {
                    ["sessions"] = new JsonArray([.. sessions.Select(static session => session.ToJson())]),
                    ["isCut"] = isCut,
                    ["unreadable"] = unreadable,
                },
                text => Write(text, sessions, unreadable, isCut));
            return ExitCode.Done;
        });
        command.Add(subject);
        command.Add(limit);
        return command;
    }

    private static async IAsyncEnumerable<FoundSession> FindAsync(
        OpenStore store, string? subject, int most, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (subject is null)
        {
            await foreach (var session in FoundSession.AllAsync(store, limit: most is > 0 and < 1_000 ? most + 1 : 1_000, cancellationToken: cancellationToken))
            {
                yield return session;
            }

            yield break;
        }

        SessionLabels.RequireSubject(subject);
        var finder = store.Sessions.Finder;
        var found = await finder.FindRecordsAsync(SessionLabels.Subject(subject), cancellationToken);
        var sessions = found.Select(each => new FoundSession(each.Key, each.Value, finder.Describe(each.Key, each.Value)));
        foreach (var session in sessions.OrderByDescending(static session => session.Info?.LastSeenAt))
        {
            yield return session;
        }
    }

    private static void Write(IAnsiConsole text, List<FoundSession> sessions, long unreadable, bool isCut)
    {
        if (sessions.Count == 0)
        {
            text.WriteLine("No sessions.");
        }
        else
        {
            var table = Output.Table("session", "subject", "last seen", "expires", "bytes", "device");
            foreach (var session in sessions)
            {
                var info = session.Info!;
                Output.AddRow(
                    table, session.Name, info.Subject, Output.Time(info.LastSeenAt), Output.Time(info.ExpiresAt), Output.Number(info.Bytes),
                    info.Device?.Agent);
            }

            text.Write(table);
        }

        if (isCut)
        {
            text.WriteLine($"There are more: --limit 0 lists all.");
        }

        if (unreadable > 0)
        {
            text.WriteLine($"{Output.Count(unreadable, "record", "records")} could not be read: sealed, or no session.");
        }
    }
}
