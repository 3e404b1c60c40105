using System.Globalization;
using System.Text;
using System.Transactions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MySqlConnector;
using Sojourn.MySql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>What the conformance suite does not know of MySQL.</summary>
public sealed class MySqlSessionStoreTests(MariaDbServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    [Fact]
    public async Task Each_verb_is_one_statement_prepared_once_where_it_is_on_one_row_and_a_transaction_only_where_labels_are_written()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await using var store = Open(own.App);
        await store.CreateAsync("warm", Record("{}"), Token);
        SessionRecord? current = await store.ReadAsync("warm", Token);
        Assert.Equal(
            ["stmt_execute 1", "stmt_prepare 1", "update 1"],
            await StatementsOfAsync(own, async () => current = (await store.ReplaceAsync("warm", current!, Record("{}"), Token)).Record));
        Assert.Equal(
            ["stmt_execute 1", "stmt_prepare 1", "update 1"],
            await StatementsOfAsync(own, () => store.TouchAsync("warm", current!, Now.AddHours(2), Token).AsTask()));
        Assert.Equal(["insert 1", "stmt_execute 1"], await StatementsOfAsync(own, () => store.CreateAsync("key", Record("{}"), Token).AsTask()));
        Assert.Equal(["select 1", "stmt_execute 1"], await StatementsOfAsync(own, async () => current = await store.ReadAsync("key", Token)));
        Assert.Equal(["stmt_execute 1", "update 1"], await StatementsOfAsync(own, async () => current = (await store.ReplaceAsync("key", current!, Record("""{"a":1}"""), Token)).Record));
        Assert.Equal(["stmt_execute 1", "update 1"], await StatementsOfAsync(own, () => store.TouchAsync("key", current!, Now.AddHours(2), Token).AsTask()));
        Assert.Equal(["begin 1", "commit 1", "delete_multi 1", "insert_select 1", "set_option 1", "update 1"],
            await StatementsOfAsync(
                own, async () => current = (await store.ReplaceAsync("key", current!, Record("{}", labels: ["subject:1", "handle:a"]), Token)).Record));
        Assert.Equal(["stmt_execute 1", "update 1"], await StatementsOfAsync(own,
            async () => current = (await store.ReplaceAsync("key", current!, Record("""{"a":2}""", labels: ["subject:1", "handle:a"]), Token)).Record));
        Assert.Equal(["delete_multi 1", "set_option 1"], await StatementsOfAsync(own, () => store.DeleteAsync("key", current, Token).AsTask()));
        Assert.Equal(["begin 1", "commit 1", "insert 2", "set_option 1"],
            await StatementsOfAsync(own, () => store.CreateAsync("labelled", Record("{}", labels: "subject:1"), Token).AsTask()));
    }

    [Fact]
    public async Task A_touch_leaves_the_column_that_is_indexed_alone_and_pruning_files_the_row_anew()
    {
        var (store, database) = await OpenAsync();
        var ends = Now.AddHours(1);
        await store.CreateAsync("key", Record("{}", ends), Token);
        var current = (await store.ReadAsync("key", Token))!;
        await store.TouchAsync("key", current, ends.AddHours(1), Token);
        Assert.Equal((Micro(ends.AddHours(1)), Micro(ends)), await ExpiresAndDueAsync(database));
        Assert.Equal(0, await store.PruneAsync(ends.AddMinutes(1), Token));
        Assert.Equal((Micro(ends.AddHours(1)), Micro(ends.AddHours(1))), await ExpiresAndDueAsync(database));
        await store.TouchAsync("key", current, ends, Token);
        Assert.Equal((Micro(ends), Micro(ends)), await ExpiresAndDueAsync(database));
    }

    [Fact]
    public async Task Pruning_passes_over_what_somebody_else_has_locked()
    {
        var (store, database) = await OpenAsync();
        for (var number = 0; number < 300; number++) await store.CreateAsync(
            "key" + number.ToString(CultureInfo.InvariantCulture), Record("{}", Now.AddHours(-1), "subject:1"), Token);
        await using (var other = new MySqlConnection(database))
        {
            await other.OpenAsync(Token);
            await using var transaction = await other.BeginTransactionAsync(Token);
            await using var command = new MySqlCommand("UPDATE sojourn_sessions SET document = '{}' WHERE `key` = 'key7'", other, transaction);
            await command.ExecuteNonQueryAsync(Token);
            Assert.Equal(299, await store.PruneAsync(Now, Token));
            Assert.NotNull(await store.ReadAsync("key7", Token));
        }

        Assert.Equal(1, await store.PruneAsync(Now, Token));
        Assert.Equal(0, await ScalarAsync<long>(database, "SELECT COUNT(*) FROM sojourn_labels"));
    }

    [Fact]
    public async Task A_lease_goes_by_the_clock_of_the_database_also_where_pruning_is_told_another_time()
    {
        var (store, database) = await OpenAsync();
        Assert.True(await store.TryAcquireAsync("held", "a", TimeSpan.FromHours(1), Token));
        Assert.True(await store.TryAcquireAsync("over", "a", TimeSpan.FromMilliseconds(1), Token));
        while (await ScalarAsync<long>(database, "SELECT COUNT(*) FROM sojourn_leases") > 1) await store.PruneAsync(Now.AddDays(1), Token);
        Assert.False(await store.TryAcquireAsync("held", "b", TimeSpan.FromHours(1), Token));
        Assert.True(await store.TryAcquireAsync("over", "b", TimeSpan.FromHours(1), Token));
    }

    [Fact]
    public async Task Parallel_changes_of_labels_deletes_by_label_and_pruning_neither_fail_nor_leave_a_label_behind()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await using var store = Open(own.App);
        await using var second = Open(own.App);
        var keys = Enumerable.Range(0, 12).Select(static number => "key" + number.ToString(CultureInfo.InvariantCulture)).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(
            async () =>
            {
                var mine = worker % 2 == 0 ? store : second;
                for (var round = 0; round < 60; round++)
                {
                    var key = keys[(worker + round) % keys.Length];
                    string[] labels = ["subject:" + ((worker + round) % 3), "group:" + (round % 2)];
                    var current = await mine.ReadAsync(key, Token);
                    if (current is null) await mine.CreateAsync(key, Record("{}", labels: labels), Token);
                    else if (round % 5 == 0) await mine.DeleteAsync(key, round % 2 == 0 ? current : null, Token);
                    else await mine.ReplaceAsync(key, current, Record("""{"a":1}""", round % 7 == 0 ? Now.AddSeconds(-1) : null, labels), Token);
                    if (round % 6 == worker % 6) await mine.DeleteByLabelAsync(worker % 2 == 0 ? "subject:1" : "group:1", Token);
                    if (round % 10 == worker) await mine.PruneAsync(Now, Token);
                }
            },
            Token)));

        var labels = (await store.PageAsync(null, 1_000, Token)).Sum(static record => record.Value.Labels.Length);
        Assert.Equal(labels, await ScalarAsync<long>(own.App, "SELECT COUNT(*) FROM sojourn_labels"));
    }

    [Fact]
    public async Task What_a_deadlock_rolled_back_is_run_again()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await using var store = Open(own.App);
        foreach (var key in new[] { "a", "b" }) await store.CreateAsync(key, Record("{}", labels: "subject:1"), Token);
        await using var other = new MySqlConnection(own.App);
        await other.OpenAsync(Token);
        await using var transaction = await other.BeginTransactionAsync(Token);

        // It has written more than the store, so that it is the store's transaction that the server ends.
        await RunAsync(
            transaction,
            "UPDATE sojourn_sessions SET document = '{\"a\":1}' WHERE `key` = 'b'; INSERT INTO sojourn_leases SELECT seq, 'x', 0 FROM seq_1_to_1000");
        var deleting = store.DeleteByLabelAsync("subject:1", Token).AsTask();
        while (await own.ScalarAsync<long>("SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'") == 0)
        {
            Assert.False(deleting.IsCompleted, "It did not wait for the lock.");

            // The server looks anew only where nobody has asked for 100 ms, and answers whoever asks more often what it saw before.
            await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, Token);
        }

        await RunAsync(transaction, "UPDATE sojourn_sessions SET document = '{\"a\":1}' WHERE `key` = 'a'");
        await transaction.CommitAsync(Token);
        Assert.Equal(2, await deleting);
        Assert.Equal(1, await own.ScalarAsync<long>("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'"));
    }

    [Fact]
    public async Task A_statement_that_has_to_be_prepared_again_is_run_again()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await using var store = Open(own.App);
        await store.CreateAsync("key", Record("{}"), Token);
        var current = await store.ReadAsync("key", Token);

        // As the server says it when its tables change too often: at the first update alone.
        await own.ExecuteAsync("""
            CREATE TABLE refused (x INT) ENGINE = MyISAM;
            CREATE TRIGGER refuse BEFORE UPDATE ON sojourn_sessions FOR EACH ROW BEGIN
              IF NOT EXISTS (SELECT * FROM refused) THEN
                INSERT INTO refused VALUES (1);
                SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1615, MESSAGE_TEXT = 'Prepared statement needs to be re-prepared';
              END IF;
            END
            """);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", current!, Record("""{"a":1}"""), Token)).Outcome);
        Assert.Equal(1, await own.ScalarAsync<long>("SELECT COUNT(*) FROM refused"));
    }

    [Fact]
    public async Task A_server_that_prepares_no_more_statements_is_asked_in_text()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await own.ExecuteAsync("SET GLOBAL max_prepared_stmt_count = 0");
        await using var store = Open(own.App);
        await store.CreateAsync("key", Record("{}"), Token);
        var current = await store.ReadAsync("key", Token);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", current!, Record("""{"a":1}"""), Token)).Outcome);
        Assert.Equal("""{"a":1}""", Encoding.UTF8.GetString((await store.ReadAsync("key", Token))!.Document.Span));
        Assert.Equal(0, await own.ScalarAsync<long>("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'"));
    }

    [Fact]
    public async Task A_session_is_stored_whatever_becomes_of_a_transaction_around_it()
    {
        await using var dataSource = new MySqlDataSource(await server.NewDatabaseAsync());
        var store = new MySqlSessionStore(dataSource);
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await store.CreateAsync("key", Record("{}"), Token);
            await store.CreateAsync("labelled", Record("{}", labels: "subject:1"), Token);
        }

        Assert.Equal(2, await store.CountAsync(Token));
    }

    [Fact]
    public async Task Keys_and_owners_that_would_be_cut_are_refused()
    {
        var (store, _) = await OpenAsync();
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync(new string('k', 201), Record("{}"), Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.ReadAsync("clé", Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.TryAcquireAsync("key", new string('o', 101), TimeSpan.FromSeconds(1), Token));
    }

    [Fact]
    public async Task Options_and_connection_strings_that_cannot_be_meant_are_refused()
    {
        await using var dataSource = new MySqlDataSource(server.App);
        Assert.Throws<ArgumentException>(() => new MySqlSessionStore(dataSource, new() { TablePrefix = "a`b" }));
        Assert.Throws<ArgumentException>(() => new ExpressMySqlSessionStore(dataSource, new() { TableName = "" }));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddSojournCore().UseMySql("Server=localhost;Nonsense=1"));
        Assert.Contains(
            "Database", Assert.Throws<ArgumentException>(() => new ServiceCollection().AddSojournCore().UseMySql("Server=localhost")).Message,
            StringComparison.Ordinal);
        await using var services = new ServiceCollection().AddSojournCore().UseMySql(_ => dataSource, o => o.TablePrefix = "").Services.BuildServiceProvider();
        Assert.Contains(
            "TablePrefix", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ISessionStore>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_section_of_the_configuration_says_all_of_it()
    {
        var database = await server.NewDatabaseAsync();
        var section = new ConfigurationBuilder().AddInMemoryCollection(
            new Dictionary<string, string?> { ["ConnectionString"] = database, ["TablePrefix"] = "mine_" }).Build();
        await using var services = new ServiceCollection().AddSojournCore().UseMySql(section).Services.BuildServiceProvider();
        Assert.True(await services.GetRequiredService<ISessionStore>().CreateAsync("key", Record("{}"), Token));
        Assert.Equal(1, await ScalarAsync<long>(database, "SELECT COUNT(*) FROM mine_sessions"));

        await using var without = new ServiceCollection().AddSojournCore().UseMySql(new ConfigurationBuilder().Build()).Services.BuildServiceProvider();
        Assert.Contains(
            "ConnectionString", Assert.Throws<OptionsValidationException>(() => without.GetRequiredService<ISessionStore>()).Message, StringComparison.Ordinal);
    }

    internal static MySqlSessionStore Open(string connectionString, MySqlSessionStoreOptions? options = null) =>
        new(schema => new MySqlDatabase(connectionString, schema), options ?? new());

    internal static SessionRecord Record(string document, DateTimeOffset? expiresAt = null, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(document), expiresAt ?? Now.AddHours(1), [.. labels]);

    internal static async Task<T> ScalarAsync<T>(string connectionString, string sql)
    {
        await using var connection = new MySqlConnection(connectionString);
        await connection.OpenAsync(Token);
        await using var command = new MySqlCommand(sql, connection);
        return (T)Convert.ChangeType((await command.ExecuteScalarAsync(Token))!, typeof(T), CultureInfo.InvariantCulture);
    }

    private static long Micro(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / 10;

    private static async Task RunAsync(MySqlTransaction transaction, string sql)
    {
        await using var command = new MySqlCommand(sql, transaction.Connection, transaction);
        await command.ExecuteNonQueryAsync(Token);
    }

    private static async Task<(long Expires, long Due)> ExpiresAndDueAsync(string database) =>
        (await ScalarAsync<long>(database, "SELECT expires FROM sojourn_sessions"), await ScalarAsync<long>(database, "SELECT due FROM sojourn_sessions"));

    /// <summary>What the server did, by its own count, less what counting costs.</summary>
    internal static async Task<string[]> StatementsOfAsync(MariaDbServer own, Func<Task> act)
    {
        var first = await own.StatementsAsync();
        var before = await own.StatementsAsync();
        await act();
        var after = await own.StatementsAsync();
        return
        [
            .. after.Where(static of => of.Key != "Questions").Select(
                of => (Name: of.Key["Com_".Length..], Count: of.Value - before[of.Key] - (before[of.Key] - first[of.Key])))
                .Where(static of => of.Count != 0).Select(static of => $"{of.Name} {of.Count}").Order(StringComparer.Ordinal),
        ];
    }

    private async Task<(MySqlSessionStore Store, string Database)> OpenAsync()
    {
        var database = await server.NewDatabaseAsync();
        return (Open(database), database);
    }
}
