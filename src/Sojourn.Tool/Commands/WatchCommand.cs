using System.CommandLine;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Sojourn.Storage;
using Sojourn.Tool.Stores;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn watch: what happens to sessions, as it happens.</summary>
internal static class WatchCommand
{
    public static Command Create(ToolConsole console)
    {
        var poll = new Option<TimeSpan?>("--poll")
        {
            Description = "Look at all sessions this often (00:00:05) instead of being told: for stores that tell nothing. Tells also of those that were "
                + "created.",
        };
        var until = new Option<TimeSpan?>("--for") { Description = "End after this time; else with Ctrl+C." };
        var command = StoreCommand.Create(
            console,
            "watch",
            "Prints what happens to sessions as it happens, until Ctrl+C. By the store's notifications, which the applications must have switched on as well; "
            + "or by looking again and again.",
            async (parsed, store, output, cancellationToken) =>
            {
                if (parsed.GetValue(until) <= TimeSpan.Zero || parsed.GetValue(poll) <= TimeSpan.Zero)
                {
                    throw new ToolException("--for and --poll are more than zero.");
                }

                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                if (parsed.GetValue(until) is { } time)
                {
                    limit.CancelAfter(time);
                }

                try
                {
                    await (parsed.GetValue(poll) is { } interval
                    ? PollAsync(console, store, output, interval, limit.Token)
                    : ListenAsync(console, store, output, limit.Token));
                }
                catch (OperationCanceledException) when (limit.IsCancellationRequested)
                {
                    // That is how it ends.
                }

                return ExitCode.Done;
            },
            description => StoreFactory.Open(description, console, notifies: description.Layout.Options.GetProperty("Notifications") is not null));
        command.Add(poll);
        command.Add(until);
        return command;
    }

    private static async Task ListenAsync(ToolConsole console, OpenStore store, Output output, CancellationToken cancellationToken)
    {
        var notifications = store.Store.As<ISessionNotifications>()
            ?? throw new ToolException($"{store.Description.Display} tells nobody what happens in it. Say --poll 00:00:05 to look at all sessions that often.");
        var news = Channel.CreateUnbounded<SessionNotification>(new UnboundedChannelOptions { SingleReader = true });
        await using var subscription = await notifications.SubscribeAsync(one => news.Writer.TryWrite(one), cancellationToken);
        await console.Error.WriteLineAsync("Listening.");
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        await foreach (var (kind, key) in news.Reader.ReadAllAsync(cancellationToken))
        {
            if (key is null)
            {
                Tell(console, output, "missed", null, null, "news may have been lost");
                continue;
            }

            var session = kind == SessionNotificationKind.Changed && await store.Store.ReadAsync(key, cancellationToken) is { } record
                ? new FoundSession(key, record, store.Sessions.Finder.Describe(key, record))
                : null;
            var name = session?.Name ?? names.GetValueOrDefault(key) ?? FoundSession.Fingerprint(key);
            if (kind == SessionNotificationKind.Ended)
            {
                names.Remove(key);
            }
            else if (session?.Info?.Handle is { } handle)
            {
                names[key] = handle;
            }

            Tell(console, output, kind == SessionNotificationKind.Ended ? "ended" : "changed", name, session);
        }
    }

    private static async Task PollAsync(ToolConsole console, OpenStore store, Output output, TimeSpan interval, CancellationToken cancellationToken)
    {
        if (interval < TimeSpan.FromMilliseconds(100))
        {
            throw new ToolException("--poll is at least 00:00:00.1.");
        }

        Dictionary<string, FoundSession>? before = null;
        using var timer = new PeriodicTimer(interval, console.Time);
        do
        {
            var now = new Dictionary<string, FoundSession>(StringComparer.Ordinal);
            await foreach (var session in FoundSession.AllAsync(store, cancellationToken: cancellationToken))
            {
                now[session.Key] = session;
                if (before is null)
                {
                    continue;
                }

                if (!before.Remove(session.Key, out var old))
                {
                    Tell(console, output, "created", session.Name, session);
                }
                else if (old.Record.Version != session.Record.Version)
                {
                    Tell(console, output, "changed", session.Name, session);
                }
            }

            foreach (var gone in before?.Values.ToArray() ?? [])
            {
                Tell(console, output, "ended", gone.Name, gone);
            }

            if (before is null)
            {
                await console.Error.WriteLineAsync("Listening.");
            }

            before = now;
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private static void Tell(ToolConsole console, Output output, string kind, string? name, FoundSession? session, string? remark = null)
    {
        var time = console.Time.GetUtcNow();
        var json = new JsonObject
        {
            ["time"] = time,
            ["kind"] = kind,
            ["session"] = name,
            ["subject"] = session?.Info?.Subject,
            ["bytes"] = session?.Record.Document.Length,
        };
        var size = session is null ? null : Output.Number(session.Record.Document.Length) + " bytes";
        string?[] facts = [Output.Time(time), kind.PadRight(7), name, session?.Info?.Subject, size, remark];
        output.WriteLine(json, Output.Safe(string.Join("  ", facts.Where(static fact => fact is not null))));
        console.Output.Flush();
    }
}
