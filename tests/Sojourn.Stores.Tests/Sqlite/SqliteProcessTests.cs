using System.Globalization;
using Sojourn.Sqlite;

namespace Sojourn.Stores.Tests.Sqlite;

// What only a second process can show.
public sealed class SqliteProcessTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(SqliteDurability.Full)]
    [InlineData(SqliteDurability.Normal)]
    public async Task Two_processes_that_count_on_one_file_lose_no_increment(SqliteDurability durability)
    {
        // Neither finds a file: they make it together, too.
        using var one = SqliteChild.Start("count", _directory.ConnectionString, durability.ToString(), "500");
        using var other = SqliteChild.Start("count", _directory.ConnectionString, durability.ToString(), "500");
        await Task.WhenAll(one.WaitForExitAsync(Cancel), other.WaitForExitAsync(Cancel));
        Assert.Equal((0, 0), (one.ExitCode, other.ExitCode));
        await using var store = new SqliteSessionStore(_directory.ConnectionString);
        Assert.Equal(1_000, SqliteChild.CountIn((await store.ReadAsync("counter", Cancel))!));
    }

    [Theory]
    [InlineData(SqliteDurability.Full)]
    [InlineData(SqliteDurability.Normal)]
    public async Task What_was_acknowledged_before_the_process_was_killed_is_there(SqliteDurability durability)
    {
        var acknowledged = new Dictionary<string, int>(StringComparer.Ordinal);
        using (var child = SqliteChild.Start("acknowledge", _directory.ConnectionString, durability.ToString()))
        {
            for (var number = 1; await child.StandardOutput.ReadLineAsync(Cancel) is { } line; number++)
            {
                if (number == 2_000) child.Kill();
                if (line.EndsWith('.') && line[..^1].Split(' ') is [var key, var count]) acknowledged[key] = int.Parse(count, CultureInfo.InvariantCulture);
            }
            await child.WaitForExitAsync(Cancel);
        }
        Assert.True(acknowledged.Count >= 1_000);
        await using var store = new SqliteSessionStore(_directory.ConnectionString);
        foreach (var (key, count) in acknowledged)
        {
            var record = await store.ReadAsync(key, Cancel);
            Assert.NotNull(record);
            Assert.InRange(SqliteChild.CountIn(record), count, count + 1);
        }
        // Nothing more than what was under way, and the index fits the records.
        var stored = await store.CountAsync(Cancel);
        Assert.InRange(stored, acknowledged.Count, acknowledged.Count + SqliteChild.Tasks);
        Assert.Equal(stored, (await store.FindAsync("subject:1", Cancel)).Count);
    }
}
