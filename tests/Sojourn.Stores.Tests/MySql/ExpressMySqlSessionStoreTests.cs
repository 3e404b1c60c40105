using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MySqlConnector;
using Sojourn.MySql;
using Sojourn.Storage;
using static Sojourn.Stores.Tests.MySql.MySqlSessionStoreTests;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>What the conformance suite does not know of express-mysql-session.</summary>
public sealed class ExpressMySqlSessionStoreTests(MariaDbServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    [Fact]
    public async Task The_table_is_the_one_that_express_mysql_session_makes()
    {
        var database = await server.NewDatabaseAsync();
        await Open(database).EnsureSchemaAsync(Token);
        var columns = await ScalarAsync<string>(database, """
            SELECT GROUP_CONCAT(CONCAT_WS(' ', COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, IS_NULLABLE, COLUMN_KEY) ORDER BY ORDINAL_POSITION SEPARATOR ', ')
            FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'sessions'
            """);
        Assert.Equal("session_id varchar(128) utf8mb4_bin NO PRI, expires int(11) unsigned NO , data mediumtext utf8mb4_bin YES ", columns);
    }

    [Fact]
    public async Task Each_verb_is_one_packet()
    {
        await using var own = new MariaDbServer([]);
        await own.InitializeAsync();
        await using var store = Open(own.App);
        await store.EnsureSchemaAsync(Token);

        // A write's isolation goes with it, in one packet.
        Assert.Equal(["insert 1", "set_option 1"], await StatementsOfAsync(own, () => store.CreateAsync("key", Record("{}"), Token).AsTask()));
        SessionRecord? current = null;
        Assert.Equal(["select 1"], await StatementsOfAsync(own, async () => current = await store.ReadAsync("key", Token)));
        Assert.Equal(["set_option 1", "update 1"], await StatementsOfAsync(own, () => store.TouchAsync("key", current!, Now.AddHours(2), Token).AsTask()));
        Assert.Equal(["set_option 1", "update 1"], await StatementsOfAsync(own, () => store.ReplaceAsync("key", current!, Record("""{"a":1}"""), Token).AsTask()));
        Assert.Equal(
            ["select 1", "set_option 1", "update 1"],
            await StatementsOfAsync(
                own, async () => Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("key", current!, Record("{}"), Token)).Outcome)));
        current = await store.ReadAsync("key", Token);
        Assert.Equal(["delete 1", "set_option 1"], await StatementsOfAsync(own, () => store.DeleteAsync("key", current, Token).AsTask()));
    }

    [Fact]
    public async Task A_session_is_its_JSON_under_its_id_and_lives_as_long_as_its_cookie()
    {
        var database = await server.NewDatabaseAsync();
        await using var services = new ServiceCollection().AddSojournCore().UseExpressMySqlSession(database).Services
            .Configure<SojournOptions>(o => o.ApplicationName = "tests").BuildServiceProvider();
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada");
        await manager.CommitAsync(session, Token);
        var where = $"FROM sessions WHERE session_id = '{session.Id}'";
        var data = await ScalarAsync<string>(database, $"SELECT data {where}");
        Assert.StartsWith("""{"cookie":{"originalMaxAge":null,"expires":null""", data, StringComparison.Ordinal);
        Assert.EndsWith("\"name\":\"Ada\"}", data, StringComparison.Ordinal);
        Assert.InRange(
            await ScalarAsync<long>(database, $"SELECT expires {where}"), Now.AddHours(23.9).ToUnixTimeSeconds(), Now.AddHours(24.1).ToUnixTimeSeconds());

        // As a Node application writes it.
        await ScalarAsync<long>(database, string.Create(CultureInfo.InvariantCulture, $$"""
            UPDATE sessions SET expires = {{Now.AddMinutes(1).ToUnixTimeSeconds()}},
                data = '{"cookie":{"originalMaxAge":60000,"expires":"2030-01-02T03:04:05.678Z","httpOnly":true,"path":"/"},"views":1}' WHERE session_id = '{{session.Id}}'; SELECT 1
            """));
        var loaded = (await manager.LoadAsync(session.Id, Token))!;
        loaded.Update<int>("views", views => views + 1);
        await manager.CommitAsync(loaded, Token);
        Assert.EndsWith("""},"views":2}""", await ScalarAsync<string>(database, $"SELECT data {where}"), StringComparison.Ordinal);
        Assert.InRange(
            await ScalarAsync<long>(database, $"SELECT expires {where}"), Now.AddSeconds(50).ToUnixTimeSeconds(), Now.AddSeconds(61).ToUnixTimeSeconds());
    }

    [Theory]
    [InlineData(499, 1_700_000_000)]
    [InlineData(500, 1_700_000_001)]
    public async Task An_expiry_is_rounded_to_the_nearest_second(int milliseconds, long seconds)
    {
        var database = await server.NewDatabaseAsync();
        await using var store = Open(database);
        await store.CreateAsync("key", Record("{}", DateTimeOffset.FromUnixTimeSeconds(1_700_000_000).AddMilliseconds(milliseconds)), Token);
        Assert.Equal(seconds, await ScalarAsync<long>(database, "SELECT expires FROM sessions"));
    }

    [Fact]
    public async Task Text_that_differs_in_a_space_at_its_end_is_another_version()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = Open(database);
        await store.CreateAsync("key", Record("{}"), Token);
        var current = (await store.ReadAsync("key", Token))!;
        await ScalarAsync<long>(database, "UPDATE sessions SET data = '{} '; SELECT 1");
        Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("key", current, Record("{}"), Token)).Outcome);
        Assert.Equal(WriteOutcome.Conflict, (await store.DeleteAsync("key", current, Token)).Outcome);
    }

    [Fact]
    public async Task A_table_in_another_character_set_and_under_other_names_serves_as_well()
    {
        var database = await server.NewDatabaseAsync();
        await server.ExecuteAsync(
            "CREATE TABLE `my sessions` (id varchar(128) PRIMARY KEY, ends int unsigned NOT NULL, text mediumtext) CHARACTER SET latin1",
            new MySqlConnectionStringBuilder(database).Database);
        await using var store = Open(database, new() { TableName = "my sessions", SessionIdColumn = "id", ExpiresColumn = "ends", DataColumn = "text" });
        await store.CreateAsync("key", Record("""{"a":"Grüße"}"""), Token);
        var current = (await store.ReadAsync("key", Token))!;
        Assert.Equal(Record("""{"a":"Grüße"}""").Document.ToArray(), current.Document.ToArray());
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", current, Record("{}"), Token)).Outcome);
        Assert.Equal(1, await store.PruneAsync(Now.AddHours(2), Token));
    }

    [Fact]
    public async Task Row_counts_of_either_kind_serve()
    {
        var database = await server.NewDatabaseAsync();
        await using var dataSource = new MySqlDataSource(database + ";UseAffectedRows=true");
        var store = new ExpressMySqlSessionStore(dataSource);
        await store.CreateAsync("key", Record("{}"), Token);
        var current = (await store.ReadAsync("key", Token))!;
        Assert.Equal(WriteOutcome.Done, (await store.TouchAsync("key", current, current.ExpiresAt, Token)).Outcome);
        Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync("key", current, current, Token)).Outcome);
    }

    [Fact]
    public async Task Labels_long_ids_and_an_idle_timeout_are_refused()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = Open(database);
        Assert.Contains(
            "express-mysql-session", (await Assert.ThrowsAsync<NotSupportedException>(async () => await store.FindAsync("subject:1", Token))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<NotSupportedException>(async () => await store.DeleteByLabelAsync("subject:1", Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync(new string('k', 129), Record("{}"), Token));
        await using var services = new ServiceCollection().AddSojournCore().UseExpressMySqlSession(database).Services
            .Configure<SojournOptions>(o => (o.ApplicationName, o.IdleTimeout) = ("tests", TimeSpan.FromHours(1))).BuildServiceProvider();
        Assert.Contains(
            "TimeToLive", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<SessionManager>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_section_of_the_configuration_says_all_of_it()
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionString"] = await server.NewDatabaseAsync(),
            ["TableName"] = "mine",
            ["TimeToLive"] = "02:00:00",
            ["DisableTouch"] = "true",
        }).Build();
        await using var services = new ServiceCollection().AddSojournCore().UseExpressMySqlSession(section).Services.BuildServiceProvider();
        var store = Assert.IsType<ExpressMySqlSessionStore>(services.GetRequiredService<ISessionStore>());
        Assert.Equal((TimeSpan.FromHours(2), false), (store.TimeToLive, store.CanTouch));
        Assert.True(await store.CreateAsync("key", Record("{}"), Token));
        Assert.Equal(1, await ScalarAsync<long>(section["ConnectionString"]!, "SELECT COUNT(*) FROM mine"));
    }

    private static ExpressMySqlSessionStore Open(string database, ExpressMySqlSessionStoreOptions? options = null) =>
        new(schema => new MySqlDatabase(database, schema), options ?? new());
}
