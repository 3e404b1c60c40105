using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.Stores.Tests.Sqlite;

public sealed class SqliteExclusiveTests
{
    [Fact]
    public async Task Requests_that_hold_a_session_exclusively_run_one_after_another_in_two_applications()
    {
        using var directory = new TempDirectory();
        await using var one = await StoreApp.StartAsync(builder => builder.UseSqlite(directory.ConnectionString));
        await using var other = await StoreApp.StartAsync(builder => builder.UseSqlite(directory.ConnectionString));
        await StoreApp.AssertExclusiveAsync(one, other);
    }
}
