using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Sojourn.Storage;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn bench: how fast a store is from here, by sessions that are made and deleted for it.</summary>
internal static class BenchCommand
{
    public static Command Create(ToolConsole console)
    {
        var sessions = new Option<int>("--sessions") { Description = "How many sessions are made.", DefaultValueFactory = static _ => 1_000 };
        var concurrency = new Option<int>("--concurrency") { Description = "How many calls are under way at once.", DefaultValueFactory = static _ => 16 };
        var bytes = new Option<int>("--bytes") { Description = "The size of a document.", DefaultValueFactory = static _ => 256 };
        var command = StoreCommand.Create(
            console, "bench", "Measures a store: makes sessions of its own in it, reads, replaces and touches them, and deletes them.",
            async (parsed, store, output, cancellationToken) =>
            {
                var (count, atOnce, size) = (parsed.GetValue(sessions), parsed.GetValue(concurrency), parsed.GetValue(bytes));
                if (count is < 1 or > 1_000_000 || atOnce is < 1 or > 1_000 || size is < 100 or > 1_000_000)
                {
                    throw new ToolException("--sessions is 1 to 1,000,000, --concurrency 1 to 1,000, --bytes 100 to 1,000,000.");
                }

                var bench = new Bench(store.Store, console.Time, count, atOnce, size);
                var rows = new List<Measured>();
                try
                {
                    await foreach (var row in bench.RunAsync(cancellationToken))
                    {
                        rows.Add(row);
                    }
                }
                finally
                {
                    // Also after Ctrl+C nothing is left behind.
                    rows.Add(await bench.DeleteAsync());
                }

                output.Write(
                    new JsonObject
                    {
                        ["store"] = store.Description.Display,
                        ["sessions"] = count,
                        ["concurrency"] = atOnce,
                        ["bytes"] = size,
                        ["verbs"] = new JsonArray([.. rows.Select(static row => row.ToJson())]),
                    },
                    text =>
                    {
                        text.WriteLine(
                            $"{store.Description.Display}: {Output.Count(count, "session", "sessions")} of {Output.Number(size)} bytes, {atOnce} calls at "
                            + "once");
                        var table = Output.Table("verb", "calls/s", "median ms", "99% ms", "slowest ms");
                        foreach (var row in rows)
                        {
                            Output.AddRow(
                                table, row.Verb, Output.Number((long)row.PerSecond), Milliseconds(row.Median), Milliseconds(row.Late),
                                Milliseconds(row.Slowest));
                        }

                        text.Write(table);
                    });
                return ExitCode.Done;
            });
        command.Add(sessions);
        command.Add(concurrency);
        command.Add(bytes);
        return command;
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Measured(string Verb, double PerSecond, TimeSpan Median, TimeSpan Late, TimeSpan Slowest)
    {
        public JsonObject ToJson() => new()
        {
            ["verb"] = Verb,
            ["perSecond"] = Math.Round(PerSecond),
            ["medianMilliseconds"] = Median.TotalMilliseconds,
            ["latePercentileMilliseconds"] = Late.TotalMilliseconds,
            ["slowestMilliseconds"] = Slowest.TotalMilliseconds,
        };
    }

    private sealed class Bench(ISessionStore store, TimeProvider time, int count, int concurrency, int bytes)
    {
        private readonly string[] _keys = [.. Enumerable.Range(0, count).Select(static _ => SessionId.New())];
        private readonly SessionRecord?[] _records = new SessionRecord?[count];
        private readonly DateTimeOffset _expiresAt = time.GetUtcNow() + TimeSpan.FromMinutes(10);

        public async IAsyncEnumerable<Measured> RunAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            yield return await MeasureAsync(
                "create", async (i, cancellation) => await store.CreateAsync(_keys[i], Record('a'), cancellation), cancellationToken);
            yield return await MeasureAsync("read", async (i, cancellation) => _records[i] = await store.ReadAsync(_keys[i], cancellation), cancellationToken);
            yield return await MeasureAsync(
                "touch", async (i, cancellation) => await store.TouchAsync(_keys[i], _records[i]!, _expiresAt + TimeSpan.FromMinutes(1), cancellation),
                cancellationToken);
            yield return await MeasureAsync(
                "replace", async (i, cancellation) => await store.ReplaceAsync(_keys[i], _records[i]!, Record('b'), cancellation), cancellationToken);
        }

        public Task<Measured> DeleteAsync() =>
            MeasureAsync("delete", async (i, cancellation) => await store.DeleteAsync(_keys[i], null, cancellation), CancellationToken.None);

        private SessionRecord Record(char fill)
        {
            const string Before = """{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"bench":" """;
            return new(Encoding.UTF8.GetBytes(Before.TrimEnd() + new string(fill, Math.Max(1, bytes - Before.Length - 1)) + "\"}"), _expiresAt);
        }

        private async Task<Measured> MeasureAsync(string verb, Func<int, CancellationToken, Task> call, CancellationToken cancellationToken)
        {
            var took = new TimeSpan[count];
            var began = time.GetTimestamp();
            await Parallel.ForEachAsync(
                Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken },
                async (i, cancellation) =>
                {
                    var start = time.GetTimestamp();
                    await call(i, cancellation);
                    took[i] = time.GetElapsedTime(start);
                });
            var all = time.GetElapsedTime(began);
            Array.Sort(took);
            return new Measured(verb, count / all.TotalSeconds, took[count / 2], took[(int)((count - 1) * 0.99)], took[^1]);
        }
    }
}
