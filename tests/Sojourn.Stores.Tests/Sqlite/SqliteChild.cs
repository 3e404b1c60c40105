using System.Diagnostics;
using System.Globalization;
using System.Text;
using Sojourn.Sqlite;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.Sqlite;

/// <summary>A process beside the test's, on the same file.</summary>
internal static class SqliteChild
{
    public const int Tasks = 16;

    private static readonly DateTimeOffset FarOff = new(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Process Start(params string[] args)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "Sojourn.Stores.Tests" + (OperatingSystem.IsWindows() ? ".exe" : ""));
        return Process.Start(new ProcessStartInfo(program, ["sqlite", .. args]) { RedirectStandardOutput = true })!;
    }

    public static async Task<int> RunAsync(string[] args)
    {
        await using var store = new SqliteSessionStore(
            args[1], new() { Durability = Enum.Parse<SqliteDurability>(args[2]), BusyTimeout = TimeSpan.FromMinutes(1) });
        switch (args[0])
        {
            case "count":
                await store.CreateAsync("counter", Record(0), CancellationToken.None);
                for (var left = int.Parse(args[3], CultureInfo.InvariantCulture); left > 0; left--) await IncrementAsync(store, "counter");
                return 0;
            case "acknowledge":
                await Task.WhenAll(Enumerable.Range(0, Tasks).Select(task => Task.Run(() => AcknowledgeAsync(store, task))));
                return 0;
            default:
                return 1;
        }
    }

    public static SessionRecord Record(int count) => new(Encoding.UTF8.GetBytes(count.ToString(CultureInfo.InvariantCulture)), FarOff, ["subject:1"]);

    public static int CountIn(SessionRecord record) => int.Parse(record.Document.Span, CultureInfo.InvariantCulture);

    private static async Task<int> IncrementAsync(SqliteSessionStore store, string key)
    {
        var current = await store.ReadAsync(key, CancellationToken.None);
        while (true)
        {
            var answer = await store.ReplaceAsync(key, current!, Record(CountIn(current!) + 1), CancellationToken.None);
            if (answer.Outcome == WriteOutcome.Done) return CountIn(answer.Record!);
            current = answer.Record;
        }
    }

    /// <summary>
    /// Changes records until it is killed, and says of each change that the store acknowledged which it was. The full stop tells a whole line.
    /// </summary>
    private static async Task AcknowledgeAsync(SqliteSessionStore store, int task)
    {
        var counter = "counter-" + task;
        await store.CreateAsync(counter, Record(0), CancellationToken.None);
        while (true)
        {
            var count = await IncrementAsync(store, counter);
            Console.Out.WriteLine($"{counter} {count}.");
            var created = $"created-{task}-{count}";
            await store.CreateAsync(created, Record(count), CancellationToken.None);
            Console.Out.WriteLine($"{created} {count}.");
        }
    }
}
