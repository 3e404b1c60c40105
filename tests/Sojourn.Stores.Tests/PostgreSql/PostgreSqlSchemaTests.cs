using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Sojourn.PostgreSql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>Tables that are made, missing, or somebody else's; rights that are missing.</summary>
public sealed class PostgreSqlSchemaTests(PostgresServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_several_processes_that_start_at_once_all_find_the_tables()
    {
        for (var round = 0; round < 10; round++)
        {
            await using var source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
            await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => new PostgreSqlSessionStore(source).EnsureSchemaAsync(Token).AsTask(), Token)));
            await Task.WhenAll(
                Enumerable.Range(0, 6).Select(_ => Task.Run(() => new ConnectPgSimpleSessionStore(source).EnsureSchemaAsync(Token).AsTask(), Token)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_may_not_make_tables_gets_the_script_at_the_start_and_once_it_was_run_the_application_starts(bool isNodeLayout)
    {
        var (database, clerk) = await ClerkAsync();
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await StoreApp.StartAsync(Use));
        Assert.Contains("CREATE TABLE", refused.Message, StringComparison.Ordinal);
        await server.ExecuteAsync(refused.Script, database);
        await server.ExecuteAsync("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + NameOf(clerk), database);
        await using var app = await StoreApp.StartAsync(Use);
        await app.RecoveredAsync();
        Assert.Equal(1, await app.ReadAsync());

        void Use(SojournBuilder builder) => _ = isNodeLayout ? builder.UseConnectPgSimple(clerk) : builder.UsePostgreSql(clerk);
    }

    [Fact]
    public async Task A_missing_right_is_told_with_the_statement_that_grants_it()
    {
        var (database, clerk) = await ClerkAsync();
        await using (var owner = PostgreSqlDatabase.Open(database)) await new PostgreSqlSessionStore(owner).EnsureSchemaAsync(Token);
        await server.ExecuteAsync("GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO " + NameOf(clerk), database);
        await using var source = PostgreSqlDatabase.Open(clerk);
        await using var store = new PostgreSqlSessionStore(source);
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.EnsureSchemaAsync(Token));
        Assert.Contains("UPDATE", refused.Message, StringComparison.Ordinal);
        await server.ExecuteAsync(refused.Script, database);
        await store.EnsureSchemaAsync(Token);
        Assert.True(await store.CreateAsync("key", PostgreSqlSessionStoreTests.Record("{}"), Token));
    }

    [Fact]
    public async Task Told_not_to_make_tables_the_first_call_fails_and_once_they_are_there_the_next_one_works()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new PostgreSqlSessionStore(source, new() { CreateSchema = false });
        var refused = await Assert.ThrowsAsync<SessionSchemaException>(async () => await store.ReadAsync("key", Token));
        Assert.Equal(PostgreSqlSchema.Script(new PostgreSqlSessionStoreOptions()), refused.Script);
        await server.ExecuteAsync(refused.Script, database);
        Assert.Null(await store.ReadAsync("key", Token));
    }

    [Fact]
    public async Task A_table_of_another_form_is_told_and_left_alone()
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync("CREATE TABLE sojourn_sessions (key int PRIMARY KEY); CREATE TABLE session (id int PRIMARY KEY)", database);
        await using var source = PostgreSqlDatabase.Open(database);
        Assert.Contains(
            "another form",
            (await Assert.ThrowsAsync<SessionSchemaException>(async () => await new PostgreSqlSessionStore(source).EnsureSchemaAsync(Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "another form",
            (await Assert.ThrowsAsync<SessionSchemaException>(async () => await new ConnectPgSimpleSessionStore(source).EnsureSchemaAsync(Token))).Message,
            StringComparison.Ordinal);
    }

    private static string NameOf(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString).Username!;

    /// <summary>An empty database, as its owner sees it and as a user who may make nothing in it.</summary>
    private async Task<(string Database, string Clerk)> ClerkAsync()
    {
        var database = await server.NewDatabaseAsync();
        var name = "clerk_" + new NpgsqlConnectionStringBuilder(database).Database;
        await server.ExecuteAsync($"CREATE USER {name}", database);
        return (database, new NpgsqlConnectionStringBuilder(database) { Username = name }.ConnectionString);
    }
}
