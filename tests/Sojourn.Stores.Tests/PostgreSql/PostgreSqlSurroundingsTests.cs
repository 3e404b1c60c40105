using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Sojourn.PostgreSql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>Servers, users and tables that are set up otherwise than most.</summary>
public sealed class PostgreSqlSurroundingsTests(PostgresServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static SessionRecord Record(string json, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(json), TimeProvider.System.GetUtcNow().AddHours(1), [.. labels]);

    [Theory]
    [InlineData("read committed")]
    [InlineData("repeatable read")]
    [InlineData("serializable")]
    public async Task Writers_that_meet_are_a_conflict_whatever_the_default_isolation(string isolation)
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync($"ALTER DATABASE {new NpgsqlConnectionStringBuilder(database).Database} SET default_transaction_isolation = '{isolation}'");
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new PostgreSqlSessionStore(source);
        Assert.True(await store.CreateAsync("key", Record("{}"), Token));
        var current = (await store.ReadAsync("key", Token))!;
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => Task.Run(async () =>
        {
            try
            {
                return (await store.ReplaceAsync("key", current, Record($$"""{"n":{{n}}}"""), Token)).Outcome.ToString();
            }
            catch (PostgresException e)
            {
                return e.SqlState;
            }
        }, Token)));
        Assert.Equal("Conflict Done", string.Join(' ', results.Distinct().Order(StringComparer.Ordinal)));
    }

    [Theory]
    [InlineData("read committed")]
    [InlineData("repeatable read")]
    [InlineData("serializable")]
    public async Task Visitors_requests_that_meet_at_two_applications_are_all_answered(string isolation)
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync($"ALTER DATABASE {new NpgsqlConnectionStringBuilder(database).Database} SET default_transaction_isolation = '{isolation}'");
        await using var one = await StoreApp.StartAsync(builder => builder.UsePostgreSql(database));
        await using var other = await StoreApp.StartAsync(builder => builder.UsePostgreSql(database));
        await one.CountAsync();
        using var elsewhere = other.NewVisitor(one.Cookies);
        var codes = await Task.WhenAll(Enumerable.Range(0, 40).Select(async n =>
        {
            using var answer = await (n % 2 == 0 ? one.Visitor : elsewhere).PostAsync(new Uri("/count", UriKind.Relative), null, Token);
            return (int)answer.StatusCode;
        }));
        Assert.Equal("200", string.Join(' ', codes.Distinct().Order()));
        Assert.Equal(41, await one.ReadAsync());
    }

    [Fact]
    public async Task A_writer_that_read_what_a_failover_lost_does_not_undo_another()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new PostgreSqlSessionStore(source);
        Assert.True(await store.CreateAsync("key", Record("{}"), Token));
        var before = (await store.ReadAsync("key", Token))!;
        await server.ExecuteAsync("CREATE TABLE standby AS SELECT * FROM sojourn_sessions", database);
        var lost = (await store.ReplaceAsync("key", before, Record("""{"a":1}"""), Token)).Record!;

        // The standby takes over without the last write.
        await server.ExecuteAsync("TRUNCATE sojourn_sessions; INSERT INTO sojourn_sessions SELECT * FROM standby", database);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", (await store.ReadAsync("key", Token))!, Record("""{"b":2}"""), Token)).Outcome);
        Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("key", lost, Record("""{"a":1,"c":3}"""), Token)).Outcome);
    }

    [Fact]
    public async Task Who_owns_the_schema_and_may_make_none_makes_the_tables()
    {
        var database = await server.NewDatabaseAsync();
        var name = "keeper_" + new NpgsqlConnectionStringBuilder(database).Database;
        await server.ExecuteAsync($"CREATE USER {name}; CREATE SCHEMA web AUTHORIZATION {name}", database);
        await using var source = PostgreSqlDatabase.Open(new NpgsqlConnectionStringBuilder(database) { Username = name }.ConnectionString);
        await using var store = new PostgreSqlSessionStore(source, new() { SchemaName = "web" });
        await store.EnsureSchemaAsync(Token);
    }

    [Fact]
    public async Task An_ordinary_user_who_may_create_in_public_makes_the_tables()
    {
        var database = await server.NewDatabaseAsync();
        var name = "shop_" + new NpgsqlConnectionStringBuilder(database).Database;
        await server.ExecuteAsync($"CREATE USER {name}; GRANT USAGE, CREATE ON SCHEMA public TO {name}", database);
        var mine = new NpgsqlConnectionStringBuilder(database) { Username = name }.ConnectionString;
        await using (var app = await StoreApp.StartAsync(builder => builder.UseConnectPgSimple(mine))) Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        await using (var app = await StoreApp.StartAsync(builder => builder.UsePostgreSql(mine))) Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
    }

    [Fact]
    public async Task A_schema_that_is_missing_is_made()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new ConnectPgSimpleSessionStore(source, new() { SchemaName = "web" });
        await store.EnsureSchemaAsync(Token);
    }

    [Theory]
    [InlineData(59)]
    [InlineData(63)]
    public async Task A_table_may_have_a_long_name(int length)
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new ConnectPgSimpleSessionStore(source, new() { TableName = new string('t', length) });
        await store.EnsureSchemaAsync(Token);
    }

    [Fact]
    public async Task A_session_that_Node_keeps_for_ten_thousand_years_is_read()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new ConnectPgSimpleSessionStore(source);
        await store.EnsureSchemaAsync(Token);
        await server.ExecuteAsync("INSERT INTO session (sid, sess, expire) VALUES ('key', '{}', to_timestamp(315576000000))", database);
        Assert.NotNull(await store.ReadAsync("key", Token));
    }

    [Fact]
    public async Task It_may_be_disposed_of_twice()
    {
        var store = new PostgreSqlSessionStore(NpgsqlDataSource.Create(server.Owner), new() { Notifications = true });
        await store.DisposeAsync();
        await store.DisposeAsync();
    }
}
