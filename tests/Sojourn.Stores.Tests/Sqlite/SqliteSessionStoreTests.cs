using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Sqlite;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.Sqlite;

public sealed class SqliteSessionStoreTests : IAsyncLifetime
{
    private readonly TempDirectory _directory = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private SqliteSessionStore _store = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private DateTimeOffset Now => _time.GetUtcNow();

    public ValueTask InitializeAsync()
    {
        _store = Open(_directory.ConnectionString);
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _directory.Dispose();
    }

    // Grouping

    [Fact]
    public async Task One_bad_change_fails_alone_and_the_rest_of_its_group_is_stored()
    {
        var times = 0;
        using var hold = await HoldWriterAsync();
        var before = CreateAsync("before");
        var counted = _store.Writer.RunAsync(0, (_, _) => ++times, Cancel);
        var bad = _store.Writer.RunAsync<int, int>(0, (_, _) => throw new InvalidTimeZoneException("bad"), Cancel);
        var refused = _store.Writer.RunAsync(0, (connection, _) => Execute(connection, "INSERT INTO nowhere VALUES (1)"), Cancel);
        var after = CreateAsync("after");
        hold.Release();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await bad);
        Assert.Contains("nowhere", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await refused)).Message, StringComparison.Ordinal);
        Assert.True(await before);
        Assert.True(await after);
        // Once in the group, which was undone, and once by itself.
        Assert.Equal(2, await counted);
        Assert.NotNull(await ReadAsync("before"));
        Assert.NotNull(await ReadAsync("after"));
    }

    [Fact]
    public async Task Changes_that_wait_together_are_one_transaction()
    {
        using var other = await OpenRawAsync();
        using var hold = await HoldWriterAsync();
        var first = CreateAsync("first");
        var seenByOthers = _store.Writer.RunAsync(0, (_, _) => Scalar(other, "SELECT count(*) FROM sessions"), Cancel);
        var last = CreateAsync("last");
        hold.Release();
        Assert.Equal(0, await seenByOthers);
        Assert.True(await first);
        Assert.True(await last);
        Assert.Equal(2, Scalar(other, "SELECT count(*) FROM sessions"));
    }

    [Fact]
    public async Task More_changes_than_a_group_takes_are_all_stored()
    {
        using var hold = await HoldWriterAsync();
        var all = Enumerable.Range(0, 1_500).Select(number => CreateAsync("key-" + number)).ToList();
        hold.Release();
        foreach (var created in all) Assert.True(await created);
        Assert.Equal(1_500, await _store.CountAsync(Cancel));
    }

    // The file

    [Fact]
    public async Task The_file_is_made_by_the_first_call_with_a_schema_version()
    {
        Assert.False(File.Exists(_directory.File));
        Assert.Null(await ReadAsync("none"));
        using var raw = await OpenRawAsync();
        Assert.Equal(2, Scalar(raw, "PRAGMA user_version"));
    }

    [Fact]
    public async Task A_file_of_an_earlier_version_is_brought_up_to_date_with_its_sessions()
    {
        Assert.True(await CreateAsync("kept"));
        using (var raw = await OpenRawAsync()) Scalar(raw, "DROP TABLE subjects; DROP TABLE leases; PRAGMA user_version = 1");
        await using var store = Open(_directory.ConnectionString);
        Assert.NotNull(await store.ReadAsync("kept", Cancel));
        Assert.True(await store.ReplaceSubjectAsync("1", null, [1], DateTimeOffset.MaxValue, Cancel));
        Assert.True(await store.TryAcquireAsync("kept", "owner", TimeSpan.FromSeconds(1), Cancel));
    }

    [Fact]
    public async Task A_file_of_an_unknown_schema_version_is_left_alone()
    {
        Assert.True(await CreateAsync("kept"));
        using var raw = await OpenRawAsync();
        Scalar(raw, "PRAGMA user_version = 99");
        await using var store = Open(_directory.ConnectionString);
        var error = await Assert.ThrowsAsync<SqliteStoreException>(async () => await store.CreateAsync("new", Record(), Cancel));
        Assert.Contains("99", error.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.File, error.Message, StringComparison.Ordinal);
        Assert.Equal(_directory.File, error.Path);
        await Assert.ThrowsAsync<SqliteStoreException>(async () => await store.ReadAsync("kept", Cancel));
        Scalar(raw, "PRAGMA user_version = 2");
        Assert.NotNull(await store.ReadAsync("kept", Cancel));
        Assert.Null(await store.ReadAsync("new", Cancel));
    }

    [Fact]
    public async Task Stores_that_make_the_file_at_the_same_moment_make_one()
    {
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACE_ROUNDS"), CultureInfo.InvariantCulture, out var set) ? set : 200;
        for (var round = 0; round < rounds; round++)
        {
            var file = Path.Combine(_directory.Path, round.ToString(CultureInfo.InvariantCulture) + ".db");
            var stores = Enumerable.Range(0, 4).Select(_ => Open("Data Source=" + file)).ToList();
            var made = await Task.WhenAll(stores.Select((store, number) => Task.Run(
                async () => number % 2 == 0 ? await store.ReadAsync("none", Cancel) is null : await store.CreateAsync("key-" + number, Record(), Cancel),
                Cancel)));
            Assert.All(made, Assert.True);
            Assert.Equal(2, await stores[0].CountAsync(Cancel));
            foreach (var store in stores) await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task What_is_no_database_is_told_and_left_as_it_is_until_it_is_moved_away()
    {
        var bytes = Encoding.ASCII.GetBytes(new string('x', 10_000));
        await File.WriteAllBytesAsync(_directory.File, bytes, Cancel);
        await AssertFailsAsync("damaged");
        Assert.Equal(bytes, await File.ReadAllBytesAsync(_directory.File, Cancel));
        File.Delete(_directory.File);
        await AssertWorksAsync();
    }

    [Fact]
    public async Task A_damaged_file_is_told_until_it_is_restored()
    {
        for (var number = 0; number < 200; number++) await CreateAsync("key-" + number);
        await _store.DisposeAsync();
        var sound = await File.ReadAllBytesAsync(_directory.File, Cancel);
        await File.WriteAllBytesAsync(_directory.File, [.. sound[..4_096], .. Enumerable.Repeat((byte)0xA5, sound.Length - 4_096)], Cancel);
        _store = Open(_directory.ConnectionString);
        await AssertFailsAsync("damaged");
        await File.WriteAllBytesAsync(_directory.File, sound, Cancel);
        await AssertWorksAsync();
        Assert.NotNull(await ReadAsync("key-199"));
    }

    [Fact]
    public async Task A_missing_directory_is_told_until_it_is_made()
    {
        var directory = Path.Combine(_directory.Path, "missing");
        _store = Open("Data Source=" + Path.Combine(directory, "sessions.db"));
        await AssertFailsAsync($"there is no directory '{directory}'");
        Directory.CreateDirectory(directory);
        await AssertWorksAsync();
    }

    [Fact]
    public async Task A_read_only_file_is_told_by_writes_while_reads_go_on()
    {
        Assert.True(await CreateAsync("kept"));
        await using var store = Open(_directory.ConnectionString + ";Mode=ReadOnly");
        var error = await Assert.ThrowsAsync<SqliteStoreException>(async () => await store.CreateAsync("new", Record(), Cancel));
        Assert.Contains("read-only", error.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.File, error.Message, StringComparison.Ordinal);
        Assert.NotNull(await store.ReadAsync("kept", Cancel));
    }

    [Fact]
    public async Task A_file_that_is_read_only_for_a_while_is_written_again_afterwards()
    {
        Assert.True(await CreateAsync("kept"));
        // What it does is what a lost right to write does, and works for root, too.
        await _store.Writer.RunAsync(0, (connection, _) => Execute(connection, "PRAGMA query_only = ON"), Cancel);
        Assert.Contains("read-only", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await CreateAsync("new"))).Message, StringComparison.Ordinal);
        await AssertWorksAsync();
        Assert.NotNull(await ReadAsync("kept"));
    }

    [Fact]
    public async Task A_full_disk_fails_what_finds_no_room_and_nothing_else()
    {
        Assert.True(await CreateAsync("kept"));
        await LimitPagesAsync(connection => connection.Pragma("page_count") + 4);
        var record = new SessionRecord(Encoding.ASCII.GetBytes(new string('x', 100_000)), Now, ["subject:1"]);
        using (var hold = await HoldWriterAsync())
        {
            var small = CreateAsync("small");
            var large = _store.CreateAsync("large", record, Cancel);
            var smallToo = CreateAsync("small too");
            hold.Release();
            Assert.True(await small);
            Assert.True(await smallToo);
            Assert.Contains("no room", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await large)).Message, StringComparison.Ordinal);
        }
        Assert.Null(await ReadAsync("large"));
        Assert.NotNull(await ReadAsync("kept"));
        Assert.Equal(WriteOutcome.Done, (await _store.DeleteAsync("small", null, Cancel)).Outcome);
        await LimitPagesAsync(_ => 1_000_000);
        Assert.True(await _store.CreateAsync("large", record, Cancel));
        Assert.Single(await _store.FindAsync("subject:1", Cancel));
    }

    [Fact]
    public async Task A_deleted_file_is_told_to_the_next_writer_and_made_again()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not delete a file that is open.");
        Assert.True(await CreateAsync("lost"));
        File.Delete(_directory.File);
        Assert.Contains(
            "was deleted", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await CreateAsync("new"))).Message, StringComparison.Ordinal);
        await AssertWorksAsync();
        Assert.Null(await ReadAsync("lost"));
        Assert.True(File.Exists(_directory.File));
    }

    [Fact]
    public async Task Tables_that_were_dropped_are_told_and_made_again()
    {
        Assert.True(await CreateAsync("lost"));
        using (var raw = await OpenRawAsync()) Scalar(
            raw, "DROP TABLE sessions; DROP TABLE labels; DROP TABLE subjects; DROP TABLE leases; PRAGMA user_version = 0");
        Assert.Contains(
            "no such table", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await CreateAsync("new"))).Message, StringComparison.Ordinal);
        await AssertWorksAsync();
        Assert.Null(await ReadAsync("lost"));
    }

    [Fact]
    public async Task A_deleted_file_is_told_to_readers_within_a_second()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not delete a file that is open.");
        Assert.True(await CreateAsync("lost"));
        Assert.NotNull(await ReadAsync("lost"));
        File.Delete(_directory.File);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("was deleted", (await Assert.ThrowsAsync<SqliteStoreException>(() => ReadAsync("lost"))).Message, StringComparison.Ordinal);
        Assert.Null(await ReadAsync("lost"));
        await AssertWorksAsync();
    }

    [Fact]
    public async Task A_lock_that_another_process_keeps_is_told_by_writes_while_reads_go_on()
    {
        await using var store = Open(_directory.ConnectionString, new() { BusyTimeout = TimeSpan.Zero });
        Assert.True(await store.CreateAsync("kept", Record(), Cancel));
        using (var raw = await OpenRawAsync())
        {
            Scalar(raw, "BEGIN IMMEDIATE");
            Assert.Contains(
                "is locked", (await Assert.ThrowsAsync<SqliteStoreException>(async () => await store.CreateAsync("new", Record(), Cancel))).Message,
                StringComparison.Ordinal);
            Assert.NotNull(await store.ReadAsync("kept", Cancel));
            Scalar(raw, "COMMIT");
        }
        Assert.True(await store.CreateAsync("new", Record(), Cancel));
    }

    // Expiry

    [Fact]
    public async Task A_touch_leaves_the_index_to_the_prune_that_meets_it()
    {
        Assert.True(await _store.CreateAsync("key", Record(Now + TimeSpan.FromHours(1)), Cancel));
        var current = (await ReadAsync("key"))!;
        Assert.Equal(WriteOutcome.Done, (await _store.TouchAsync("key", current, Now + TimeSpan.FromHours(2), Cancel)).Outcome);
        using var raw = await OpenRawAsync();
        Assert.Equal((Now + TimeSpan.FromHours(1)).ToUnixTimeMilliseconds(), Scalar(raw, "SELECT due FROM sessions"));
        Assert.Equal(0, await _store.PruneAsync(Now + TimeSpan.FromHours(1), Cancel));
        Assert.Equal((Now + TimeSpan.FromHours(2)).ToUnixTimeMilliseconds(), Scalar(raw, "SELECT due FROM sessions"));
        await _store.TouchAsync("key", current, Now, Cancel);
        Assert.Equal(Now.ToUnixTimeMilliseconds(), Scalar(raw, "SELECT due FROM sessions"));
    }

    [Fact]
    public async Task Pruning_goes_in_batches_and_ends_between_two()
    {
        await Task.WhenAll(Enumerable.Range(0, 600).Select(number => CreateAsync("key-" + number).AsTask()));
        using var ending = new CancellationTokenSource();
        using var hold = await HoldWriterAsync();
        var pruning = _store.PruneAsync(Now + TimeSpan.FromHours(2), ending.Token);
        var cancelling = _store.Writer.RunAsync(0, (_, _) => { ending.Cancel(); return 0; }, Cancel);
        hold.Release();
        await cancelling;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await pruning);
        Assert.Equal(600 - 256, await _store.CountAsync(Cancel));
        Assert.Equal(600 - 256, await _store.PruneAsync(Now + TimeSpan.FromHours(2), Cancel));
    }

    [Fact]
    public async Task Pruning_passes_over_more_touched_records_than_a_batch_takes()
    {
        var due = Now + TimeSpan.FromHours(1);
        await Task.WhenAll(Enumerable.Range(0, 700).Select(number => _store.CreateAsync("key-" + number, Record(due), Cancel).AsTask()));
        foreach (var (key, record) in await _store.PageAsync(null, 1_000, Cancel))
        {
            if (key != "key-350") await _store.TouchAsync(key, record, due + TimeSpan.FromHours(1), Cancel);
        }
        Assert.Equal(1, await _store.PruneAsync(due, Cancel));
        Assert.Equal(699, await _store.CountAsync(Cancel));
    }

    [Fact]
    public async Task A_deleted_record_leaves_nothing_behind()
    {
        Assert.True(await _store.CreateAsync("key", new(Json, Now, ["subject:1", "handle:a", "subject:1"]), Cancel));
        using var raw = await OpenRawAsync();
        Assert.Equal(2, Scalar(raw, "SELECT count(*) FROM labels"));
        await _store.ReplaceAsync("key", (await ReadAsync("key"))!, new(Json, Now, ["handle:b"]), Cancel);
        Assert.Equal(1, Scalar(raw, "SELECT count(*) FROM labels"));
        await _store.DeleteAsync("key", null, Cancel);
        Assert.Equal(0, Scalar(raw, "SELECT count(*) FROM labels"));
    }

    // Waiting and ending

    [Fact]
    public async Task A_cancelled_write_that_has_not_begun_is_dropped()
    {
        using var leaving = new CancellationTokenSource();
        using var hold = await HoldWriterAsync();
        var created = _store.CreateAsync("dropped", Record(), leaving.Token);
        await leaving.CancelAsync();
        // The caller is free although the writer is held.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await created);
        hold.Release();
        Assert.True(await CreateAsync("next"));
        Assert.Null(await ReadAsync("dropped"));
    }

    [Fact]
    public async Task A_cancelled_write_that_has_begun_is_finished()
    {
        using var leaving = new CancellationTokenSource();
        using var hold = await HoldWriterInAsync(
            "INSERT INTO sessions (key, version, expires, due, document) VALUES ('begun', 1, 1, 1, x'7b7d')", leaving.Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hold.Held);
        hold.Release();
        Assert.True(await CreateAsync("next"));
        Assert.NotNull(await ReadAsync("begun"));
    }

    [Fact]
    public async Task A_call_with_a_cancelled_token_does_nothing()
    {
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _store.CreateAsync("key", Record(), cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _store.ReadAsync("key", cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _store.PruneAsync(Now, cancelled));
        Assert.Equal(0, await _store.CountAsync(Cancel));
    }

    [Fact]
    public async Task Disposing_finishes_what_is_queued_and_leaves_one_file()
    {
        Assert.Null(await ReadAsync("none"));
        List<ValueTask<bool>> queued;
        Task disposing;
        using (var hold = await HoldWriterAsync())
        {
            queued = [.. Enumerable.Range(0, 100).Select(number => CreateAsync("key-" + number))];
            disposing = _store.DisposeAsync().AsTask();
            hold.Release();
        }
        await disposing;
        foreach (var created in queued) Assert.True(await created);
        Assert.Equal([_directory.File], Directory.GetFiles(_directory.Path));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ReadAsync("key-1"));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await CreateAsync("key-1"));
        await _store.DisposeAsync();
        _store = Open(_directory.ConnectionString);
        Assert.Equal(100, await _store.CountAsync(Cancel));
    }

    [Fact]
    public async Task Disposing_a_store_that_was_never_used_touches_no_file()
    {
        await _store.DisposeAsync();
        Assert.Empty(Directory.GetFiles(_directory.Path));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await CreateAsync("key"));
    }

    [Fact]
    public async Task A_read_is_synchronous_and_waits_for_no_writer()
    {
        Assert.True(await CreateAsync("key"));
        using var hold = await HoldWriterAsync();
        var read = _store.ReadAsync("key", Cancel);
        Assert.True(read.IsCompletedSuccessfully);
        Assert.NotNull(await read);
        hold.Release();
    }

    // Configuration

    [Theory]
    [InlineData("Data Source=:memory:")]
    [InlineData("Data Source=file::memory:?cache=shared")]
    [InlineData("Data Source=file:x?mode=memory")]
    [InlineData("Data Source=sessions;Mode=Memory;Cache=Shared")]
    [InlineData("Data Source=")]
    [InlineData("Cache=Shared")]
    public void What_names_no_file_is_refused_with_the_way_out(string connectionString)
    {
        var builder = new SojournBuilder(new ServiceCollection());
        Assert.Contains("UseMemory()", Assert.Throws<ArgumentException>(() => builder.UseSqlite(connectionString)).Message, StringComparison.Ordinal);
        Assert.Contains("UseMemory()", Assert.Throws<ArgumentException>(() => { Open(connectionString); }).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sessions.db")]
    [InlineData("Server=localhost")]
    public void What_is_no_connection_string_is_refused(string connectionString)
        => Assert.ThrowsAny<ArgumentException>(() => new SojournBuilder(new ServiceCollection()).UseSqlite(connectionString));

    [Fact]
    public async Task UseSqlite_registers_one_store_that_is_disposed_of_with_the_application()
    {
        var services = new ServiceCollection();
        new SojournBuilder(services).UseSqlite(_directory.ConnectionString, o => o.Durability = SqliteDurability.Normal);
        await using (var provider = services.BuildServiceProvider())
        {
            var store = provider.GetRequiredService<ISessionStore>();
            Assert.Same(store, provider.GetRequiredService<ISessionStore>());
            Assert.True(await store.CreateAsync("key", Record(), Cancel));
        }
        Assert.Equal([_directory.File], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public async Task Sessions_side_by_side_have_stores_with_options_of_their_own()
    {
        var services = new ServiceCollection();
        new SojournBuilder(services).UseSqlite(_directory.ConnectionString);
        new SojournBuilder(services, "admin").UseSqlite($"Data Source={_directory.File}.admin", o => o.Durability = SqliteDurability.Normal);
        await using var provider = services.BuildServiceProvider();
        var (store, admin) = (provider.GetRequiredService<ISessionStore>(), provider.GetRequiredKeyedService<ISessionStore>("admin"));
        Assert.True(await store.CreateAsync("key", Record(), Cancel));
        Assert.Null(await admin.ReadAsync("key", Cancel));
        var options = provider.GetRequiredService<IOptionsMonitor<SqliteSessionStoreOptions>>();
        Assert.Equal((SqliteDurability.Full, SqliteDurability.Normal), (options.Get("").Durability, options.Get("admin").Durability));
    }

    [Theory]
    [InlineData(-1, SqliteDurability.Full)]
    [InlineData(61, SqliteDurability.Full)]
    [InlineData(5, (SqliteDurability)7)]
    public void Options_out_of_range_are_refused(int busySeconds, SqliteDurability durability)
    {
        var services = new ServiceCollection();
        new SojournBuilder(services).UseSqlite(_directory.ConnectionString, Configure);
        using var provider = services.BuildServiceProvider();
        Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<ISessionStore>());
        var options = new SqliteSessionStoreOptions();
        Configure(options);
        Assert.Throws<ArgumentOutOfRangeException>(() => { Open(_directory.ConnectionString, options); });

        void Configure(SqliteSessionStoreOptions o) => (o.BusyTimeout, o.Durability) = (TimeSpan.FromSeconds(busySeconds), durability);
    }

    private static byte[] Json => "{}"u8.ToArray();

    private SqliteSessionStore Open(string connectionString, SqliteSessionStoreOptions? options = null) => new(connectionString, options, _time);

    private SessionRecord Record(DateTimeOffset? expiresAt = null) => new(Json, expiresAt ?? Now + TimeSpan.FromHours(1));

    private ValueTask<bool> CreateAsync(string key) => _store.CreateAsync(key, Record(), Cancel);

    private async Task<SessionRecord?> ReadAsync(string key) => await _store.ReadAsync(key, Cancel);

    private async Task AssertWorksAsync()
    {
        Assert.True(await CreateAsync("works"));
        Assert.NotNull(await ReadAsync("works"));
    }

    /// <summary>Every verb fails with what a person needs to know, and goes on doing so.</summary>
    private async Task AssertFailsAsync(string reason)
    {
        for (var time = 0; time < 2; time++)
        {
            foreach (var verb in new Func<Task>[] { () => ReadAsync("key-1"), async () => await CreateAsync("new"), async () => await _store.PruneAsync(Now + TimeSpan.FromDays(1), Cancel) })
            {
                var error = await Assert.ThrowsAsync<SqliteStoreException>(verb);
                Assert.Contains(reason, error.Message, StringComparison.Ordinal);
                Assert.Contains(error.Path, error.Message, StringComparison.Ordinal);
                Assert.StartsWith(_directory.Path, error.Path, StringComparison.Ordinal);
                Assert.IsType<SqliteException>(error.InnerException);
            }
        }
    }

    private async Task LimitPagesAsync(Func<Connection, long> limit)
        => await _store.Writer.RunAsync(0, (connection, _) => Execute(connection, $"PRAGMA max_page_count = {limit(connection)}"), Cancel);

    private static int Execute(Connection connection, string sql)
    {
        connection.ExecuteScript(sql);
        return 0;
    }

    private async Task<SqliteConnection> OpenRawAsync()
    {
        await _store.CountAsync(Cancel);
        var connection = new SqliteConnection(_directory.ConnectionString + ";Pooling=False");
        await connection.OpenAsync(Cancel);
        return connection;
    }

    private static long Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // A constant of the test's.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar() as long? ?? 0;
    }

    /// <summary>Keeps the writer inside a change, so that what is queued meanwhile joins its group.</summary>
    private Task<Hold> HoldWriterAsync() => HoldWriterInAsync("", Cancel);

    private async Task<Hold> HoldWriterInAsync(string sql, CancellationToken cancellationToken)
    {
        var hold = new Hold();
        hold.Held = _store.Writer.RunAsync(
            0,
            (connection, _) =>
            {
                Execute(connection, sql);
                return hold.Wait();
            },
            cancellationToken).AsTask();
        await hold.Reached;
        return hold;
    }

    private sealed class Hold : IDisposable
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _released = new();

        public Task Reached => _reached.Task;

        public Task Held { get; set; } = Task.CompletedTask;

        public int Wait()
        {
            _reached.TrySetResult();
            _released.Wait();
            return 0;
        }

        public void Release() => _released.Set();

        // Left to the garbage collector, since the writer may still be on its way out of it.
        public void Dispose() => Release();
    }
}
