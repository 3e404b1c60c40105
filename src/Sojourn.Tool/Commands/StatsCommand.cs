using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Tool.Stores;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn stats: how many sessions there are, and of what kind.</summary>
internal static class StatsCommand
{
    public static Command Create(ToolConsole console) => StoreCommand.Create(
        console, "stats", "Counts sessions: alive, signed in, expired; their sizes and ages. Looks at all of them.",
        async (parsed, store, output, cancellationToken) =>
        {
            var counts = new Counts();
            var total = await store.Administration.CountAsync(cancellationToken);
            await ProgressBar.RunAsync(output, "Looking at sessions", total, async advance =>
            {
                await foreach (var session in FoundSession.AllAsync(store, cancellationToken: cancellationToken))
                {
                    counts.Add(session, store);
                    advance();
                }
            });
            output.Write(counts.ToJson(store), text => text.Write(Output.Facts(
                ("store", store.Description.Display),
                ("alive", Output.Number(counts.Alive)),
                ("signed in", $"{Output.Number(counts.SignedIn)}, of {Output.Count(counts.Subjects.Count, "subject", "subjects")}"),
                ("nobody signed in", Output.Number(counts.Alive - counts.SignedIn)),
                ("expired, not removed yet", Output.Number(counts.Expired)),
                ("not readable", Output.Number(counts.Unreadable)),
                ("document", $"{Output.Number(counts.Average)} bytes on average, {Output.Number(counts.Largest)} at the most, {Output.Number(counts.Bytes)} in "
                    + "all"),
                ("oldest created", Output.Time(counts.Oldest)),
                ("last seen", Output.Time(counts.LastSeen)))));
            return ExitCode.Done;
        });

    private sealed class Counts
    {
        public long Alive { get; private set; }

        public long SignedIn { get; private set; }

        public long Expired { get; private set; }

        public long Unreadable { get; private set; }

        public long Bytes { get; private set; }

        public long Largest { get; private set; }

        public DateTimeOffset? Oldest { get; private set; }

        public DateTimeOffset? LastSeen { get; private set; }

        public HashSet<string> Subjects { get; } = new(StringComparer.Ordinal);

        public long Average => Alive == 0 ? 0 : Bytes / Alive;

        public void Add(FoundSession session, OpenStore store)
        {
            if (session.Info is not { } info)
            {
                Unreadable++;
                return;
            }

            if (!store.Sessions.Finder.IsAlive(info))
            {
                Expired++;
                return;
            }

            Alive++;
            Bytes += info.Bytes;
            Largest = Math.Max(Largest, info.Bytes);
            Oldest = info.CreatedAt is { } created && !(Oldest <= created) ? created : Oldest;
            LastSeen = LastSeen >= info.LastSeenAt ? LastSeen : info.LastSeenAt;
            if (info.Subject is { } subject)
            {
                SignedIn++;
                Subjects.Add(subject);
            }
        }

        public JsonObject ToJson(OpenStore store) => new()
        {
            ["store"] = store.Description.Display,
            ["alive"] = Alive,
            ["signedIn"] = SignedIn,
            ["subjects"] = Subjects.Count,
            ["expired"] = Expired,
            ["unreadable"] = Unreadable,
            ["bytes"] = Bytes,
            ["averageBytes"] = Average,
            ["largestBytes"] = Largest,
            ["oldestCreatedAt"] = Oldest,
            ["lastSeenAt"] = LastSeen,
        };
    }
}
