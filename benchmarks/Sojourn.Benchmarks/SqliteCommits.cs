using System.Diagnostics;
using System.Globalization;
using Sojourn.Sqlite;
using Sojourn.Storage;

namespace Sojourn.Benchmarks;

/// <summary>Durable commits a second at the SQLite store: one waiter against 64 whose commits share the wait for the disk.</summary>
internal static class SqliteCommits
{
    public static async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("sojourn-benchmark");
        try
        {
            await using var store = new SqliteSessionStore($"Data Source={Path.Combine(folder.FullName, "sessions.db")}");
            double alone = 0, together = 0;
            for (var round = 0; round < 4; round++)
            {
                // The first round warms up.
                var one = await MeasureAsync(store, 1, round);
                var many = await MeasureAsync(store, 64, round);
                (alone, together) = round == 0 ? (0, 0) : (Math.Max(alone, one), Math.Max(together, many));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"RESULT {together / alone:0.0}"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<double> MeasureAsync(SqliteSessionStore store, int waiters, int round)
    {
        var expires = DateTimeOffset.UtcNow.AddHours(1);
        var ends = Stopwatch.GetTimestamp() + (2 * Stopwatch.Frequency);
        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, waiters).Select(waiter => Task.Run(async () =>
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"round-{round}-of-{waiters}-waiter-{waiter}");
            var next = new SessionRecord(Payload.Document(500), expires);
            await store.CreateAsync(key, next, CancellationToken.None);
            var current = (await store.ReadAsync(key, CancellationToken.None))!;
            var count = 0;
            for (; Stopwatch.GetTimestamp() < ends; count++)
            {
                current = (await store.ReplaceAsync(key, current, next, CancellationToken.None)).Record
                    ?? await store.ReadAsync(key, CancellationToken.None)
                    ?? throw new InvalidOperationException("The record is lost.");
            }

            return count;
        })));
        var rate = counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{waiters} waiters: {rate:0} durable commits a second"));
        return rate;
    }
}
