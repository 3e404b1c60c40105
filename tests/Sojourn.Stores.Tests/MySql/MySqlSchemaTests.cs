using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Sojourn.MySql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>Tables that are made, missing, or somebody else's; rights that are missing.</summary>
public sealed class MySqlSchemaTests(MariaDbServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_several_processes_that_start_at_once_all_find_the_tables()
    {
        var database = await server.NewDatabaseAsync();
        var stores = Enumerable.Range(0, 6).Select(_ => MySqlSessionStoreTests.Open(database)).ToList();
        await Task.WhenAll(stores.Select(store => Task.Run(() => store.EnsureSchemaAsync(Token).AsTask(), Token)));
        await stores[0].EnsureSchemaAsync(Token);
        Assert.Equal(
            4,
            await server.ScalarAsync<long>($"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{NameOf(database)}' AND ENGINE = 'InnoDB'"));
        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task Who_may_not_make_tables_gets_the_script_at_the_start_and_once_it_was_run_the_application_starts()
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync($"GRANT SELECT, INSERT, UPDATE, DELETE ON {NameOf(database)}.* TO clerk@'%'");
        var clerk = As("clerk", database);
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await StoreApp.StartAsync(sojourn => sojourn.UseMySql(clerk)));
        Assert.Contains("CREATE", refused.Message, StringComparison.Ordinal);
        await server.ExecuteAsync(refused.Script, NameOf(database));
        await using var app = await StoreApp.StartAsync(sojourn => sojourn.UseMySql(clerk));
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());
    }

    [Fact]
    public async Task A_missing_right_is_told_with_the_statement_that_grants_it()
    {
        var database = await server.NewDatabaseAsync();
        var name = NameOf(database);
        await MySqlSessionStoreTests.Open(database).EnsureSchemaAsync(Token);
        await server.ExecuteAsync(
            $"CREATE USER reader_{name}@'%' IDENTIFIED BY 'reader_{name}'; GRANT SELECT, INSERT, DELETE ON {name}.* TO reader_{name}@'%'");
        await using var store = MySqlSessionStoreTests.Open(As("reader_" + name, database));
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.EnsureSchemaAsync(Token));
        Assert.Contains("UPDATE command denied", refused.Message, StringComparison.Ordinal);
        await server.ExecuteAsync(refused.Script, name);
        await store.EnsureSchemaAsync(Token);
        Assert.True(await store.CreateAsync("key", MySqlSessionStoreTests.Record("{}", labels: "subject:1"), Token));
    }

    [Fact]
    public async Task Told_not_to_make_tables_the_first_call_fails_and_once_they_are_there_the_next_one_works()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = MySqlSessionStoreTests.Open(database, new() { CreateSchema = false, TablePrefix = "Mine_" });
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.ReadAsync("key", Token));
        Assert.Equal(MySqlSchema.Script(new MySqlSessionStoreOptions { TablePrefix = "Mine_" }), refused.Script);
        await server.ExecuteAsync(refused.Script, NameOf(database));
        Assert.Null(await store.ReadAsync("key", Token));
    }

    [Fact]
    public async Task A_table_of_another_form_is_told_and_left_alone()
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync("CREATE TABLE sojourn_sessions (`key` int PRIMARY KEY); CREATE TABLE sessions (id int PRIMARY KEY)", NameOf(database));
        await using var native = MySqlSessionStoreTests.Open(database);
        Assert.Contains(
            "another form", (await Assert.ThrowsAsync<SessionSchemaException>(async () => await native.EnsureSchemaAsync(Token))).Message,
            StringComparison.Ordinal);
        await using var express = new ExpressMySqlSessionStore(schema => new MySqlDatabase(database, schema), new());
        Assert.Contains(
            "another form", (await Assert.ThrowsAsync<SessionSchemaException>(async () => await express.EnsureSchemaAsync(Token))).Message,
            StringComparison.Ordinal);
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT COUNT(*) FROM sojourn_sessions", NameOf(database)));
    }

    [Fact]
    public async Task A_server_that_means_something_else_by_a_backslash_is_refused_until_the_connection_string_says_so()
    {
        await using var own = new MariaDbServer("--sql-mode=NO_BACKSLASH_ESCAPES");
        await own.InitializeAsync();
        await using var store = MySqlSessionStoreTests.Open(own.App);
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.ReadAsync("key", Token));
        Assert.Contains("NoBackslashEscapes=True", refused.Message, StringComparison.Ordinal);
        await using var told = MySqlSessionStoreTests.Open(own.App + ";NoBackslashEscapes=true");
        var record = MySqlSessionStoreTests.Record("""{"a":"\\ \" ' \u0000"}""", labels: """subject:\'""");
        Assert.True(await told.CreateAsync("key", record, Token));
        var stored = (await told.ReadAsync("key", Token))!;
        Assert.Equal(record.Document.ToArray(), stored.Document.ToArray());
        Assert.Equal(record.Labels, stored.Labels);
        await own.ExecuteAsync(refused.Script);
        await using var again = MySqlSessionStoreTests.Open(own.App + ";Application Name=again");
        await again.EnsureSchemaAsync(Token);
    }

    private static string NameOf(string connectionString) => new MySqlConnectionStringBuilder(connectionString).Database;

    private static string As(string user, string connectionString) =>
        new MySqlConnectionStringBuilder(connectionString) { UserID = user, Password = user }.ConnectionString;
}
