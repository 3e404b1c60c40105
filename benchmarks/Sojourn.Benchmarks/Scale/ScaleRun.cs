using System.Diagnostics;
using System.Globalization;
using Sojourn.Storage;

namespace Sojourn.Benchmarks.Scale;

/// <summary>
/// What sessions cost as they grow: stores of every size, rounds in turn, by processor time of this process and the database's. Prints rows of tables, each
/// after a word that says of which.
/// </summary>
internal static class ScaleRun
{
    private const int Workers = 8;
    private const int Pruned = 5_000;

    /// <param name="args">
    /// The store, where it is, the process id of its server, the sizes in rising order, the rounds, and how many calls each of them has.
    /// </param>
    public static async Task RunAsync(string[] args)
    {
        var (name, connection) = (args[0], args[1]);
        var server = new ServerProcesses(int.Parse(args[2], CultureInfo.InvariantCulture), name);
        int[] sizes = [.. args[3].Split(' ').Select(size => int.Parse(size, CultureInfo.InvariantCulture))];
        var (rounds, calls) = (int.Parse(args[4], CultureInfo.InvariantCulture), int.Parse(args[5], CultureInfo.InvariantCulture));

        // Stores in memory one after the other: what collecting the garbage of a large one costs is not to be counted for a small one.
        var measured = new List<Sized>();
        foreach (var together in name == "memory" ? sizes.Select(size => (int[])[size]) : [sizes])
        {
            var stores = new List<Sized>();
            foreach (var size in together) stores.Add(await FilledAsync(name, connection, size));
            foreach (var sized in stores) sized.BytesEach = await sized.Database.BytesAsync() / sized.Size;
            await MeasureAsync(stores, server, rounds, calls);
            foreach (var sized in stores) await PruneAsync(sized, server);
            measured.AddRange(stores);
            foreach (var sized in stores) sized.Store = null!;
        }

        var first = measured[0];
        foreach (var sized in measured)
        {
            var (read, write, start) = (sized.Read / rounds / calls, sized.Write / rounds / calls, sized.Start / rounds);
            Row(
                "cost", name, sized.Size, sized.BytesEach.ToString("0", CultureInfo.InvariantCulture), Times(read, sized.Read / first.Read),
                Times(write, sized.Write / first.Write), name == "memory" ? "- | -" : Times(start, sized.Start / first.Start));
        }

        foreach (var sized in measured.Where(static sized => sized.Pruned > 0))
        {
            Row(
                "prune", name, sized.Size, sized.PruneNothing.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture),
                sized.Pruned.ToString("N0", CultureInfo.InvariantCulture),
                (sized.Prune / sized.Pruned).TotalMicroseconds.ToString("0.0", CultureInfo.InvariantCulture));
        }
    }

    private static async Task<Sized> FilledAsync(string name, string connection, int size)
    {
        var database = ScaleDatabase.Of(name, connection, size);
        var filled = Stopwatch.StartNew();
        var store = await database.OpenAsync();
        await database.FillAsync(store);
        Note($"{name}: {size:N0} sessions after {filled.Elapsed.TotalSeconds:0} s");
        return new Sized(size, database, store);
    }

    private static async Task MeasureAsync(List<Sized> stores, ServerProcesses server, int rounds, int calls)
    {
        // The first round warms up.
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var sized in stores)
            {
                var (read, write, start) = (
                    await CostAsync(server, () => EachAsync(sized, calls, ReadAsync)),
                    await CostAsync(server, () => EachAsync(sized, calls, WriteAsync)),
                    await CostAsync(server, sized.Database.StartAsync));
                if (round > 0) (sized.Read, sized.Write, sized.Start) = (sized.Read + read, sized.Write + write, sized.Start + start);
            }

            Note($"round {round} of {rounds}");
        }
    }

    private static async Task PruneAsync(Sized sized, ServerProcesses server)
    {
        if (sized.Store.As<IExpiringStore>() is not { } expiring) return;
        await expiring.PruneAsync(ScaleDatabase.Start.AddMinutes(-2), default);
        sized.PruneNothing = await CostAsync(server, () => expiring.PruneAsync(ScaleDatabase.Start.AddMinutes(-1), default).AsTask());
        sized.Prune = await CostAsync(
            server, async () => sized.Pruned = await expiring.PruneAsync(ScaleDatabase.Start.AddMilliseconds(Math.Min(sized.Size / 2, Pruned) - 1), default));
    }

    private static string Times(TimeSpan each, double ratio) => string.Create(CultureInfo.InvariantCulture, $"{each.TotalMicroseconds:0.0} | {ratio:0.00}");

    private static async Task ReadAsync(Sized sized, string key) =>
        _ = await sized.Store.ReadAsync(key, default) ?? throw new InvalidOperationException("A session is lost.");

    /// <summary>As a request does it that changes its session.</summary>
    private static async Task WriteAsync(Sized sized, string key)
    {
        var current = await sized.Store.ReadAsync(key, default) ?? throw new InvalidOperationException("A session is lost.");
        await sized.Store.ReplaceAsync(key, current, new SessionRecord(ScaleDatabase.Document, current.ExpiresAt), default);
    }

    /// <summary>Some calls, of sessions all over the store, no two workers' the same.</summary>
    private static Task EachAsync(Sized sized, int calls, Func<Sized, string, Task> call) =>
        Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
    {
        for (var n = worker; n < calls; n += Workers) await call(sized, ScaleDatabase.Key(sized.Next() % sized.Size));
    })));

    private static async Task<TimeSpan> CostAsync(ServerProcesses server, Func<Task> act)
    {
        var before = Environment.CpuUsage.TotalTime + server.ProcessorTime();
        await act();
        return Environment.CpuUsage.TotalTime + server.ProcessorTime() - before;
    }

    private static void Note(FormattableString text) => Console.Error.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    private static void Row(string table, string name, int size, params string[] cells) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{table} | {name} | {size:N0} | {string.Join(" | ", cells)} |"));

    private sealed class Sized(int size, ScaleDatabase database, ISessionStore store)
    {
        private int _next;

        public int Size { get; } = size;

        public ScaleDatabase Database { get; } = database;

        /// <summary>Let go of once it is measured.</summary>
        public ISessionStore Store { get; set; } = store;

        public double BytesEach { get; set; }

        public TimeSpan Read { get; set; }

        public TimeSpan Write { get; set; }

        public TimeSpan Start { get; set; }

        public TimeSpan PruneNothing { get; set; }

        public TimeSpan Prune { get; set; }

        public long Pruned { get; set; }

        /// <summary>Numbers that come all over the place, the same in every run.</summary>
        public int Next() => (int)(((ulong)(uint)Interlocked.Increment(ref _next) * 0x9e3779b97f4a7c15UL) >> 33);
    }
}
