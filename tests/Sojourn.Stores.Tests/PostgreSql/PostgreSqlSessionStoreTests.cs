using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Sojourn.PostgreSql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>What the conformance suite does not know of PostgreSQL.</summary>
public sealed class PostgreSqlSessionStoreTests(PostgresServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_verb_is_one_statement()
    {
        await using var own = await PostgresServer.StartLoggingAsync();
        await using var source = PostgreSqlDatabase.Open(own.Owner);
        await using var store = new PostgreSqlSessionStore(source);
        await store.EnsureSchemaAsync(Token);
        var record = Record("{}", labels: "subject:1");
        Assert.Equal(["INSERT"], await own.StatementsOfAsync(async () => await store.CreateAsync("key", record, Token)));
        SessionRecord? current = null;
        Assert.Equal(["SELECT"], await own.StatementsOfAsync(async () => current = await store.ReadAsync("key", Token)));
        Assert.Equal(["UPDATE"], await own.StatementsOfAsync(async () => await store.TouchAsync("key", current!, current!.ExpiresAt.AddMinutes(1), Token)));
        Assert.Equal(["UPDATE"], await own.StatementsOfAsync(async () => await store.ReplaceAsync("key", current!, Record("""{"a":1}""", labels: "subject:2"), Token)));
        Assert.Equal(
            ["UPDATE", "SELECT"],
            await own.StatementsOfAsync(async () => Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("key", current!, record, Token)).Outcome)));
        Assert.Equal(["DELETE"], await own.StatementsOfAsync(async () => await store.DeleteAsync("key", null, Token)));
    }

    [Fact]
    public async Task A_touch_and_a_write_of_the_same_labels_rewrite_no_index()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new PostgreSqlSessionStore(source);
        Assert.True(await store.CreateAsync("key", Record("{}", labels: "subject:1"), Token));
        var current = (await store.ReadAsync("key", Token))!;
        for (var turn = 1; turn <= 20; turn++)
        {
            await store.TouchAsync("key", current, current.ExpiresAt.AddMinutes(turn), Token);
            current = (await store.ReplaceAsync("key", current, Record($$"""{"turn":{{turn}}}""", TimeSpan.FromHours(2), "subject:1"), Token)).Record!;
        }

        await using var same = await source.OpenConnectionAsync(Token);
        await using var flush = new NpgsqlCommand("SELECT pg_stat_force_next_flush()", same);
        await flush.ExecuteNonQueryAsync(Token);
        var (all, hot) = (0L, -1L);
        for (var attempt = 0; attempt < 100 && all < 40; attempt++)
        {
            // Each connection tells of its statements a little later.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            all = await server.ScalarAsync<long>("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sojourn_sessions'", database);
            hot = await server.ScalarAsync<long>("SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sojourn_sessions'", database);
        }

        Assert.Equal((40, 40), (all, hot));
    }

    [Fact]
    public async Task A_label_of_any_length_is_found()
    {
        await using var source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        await using var store = new PostgreSqlSessionStore(source);
        var label = "subject:" + string.Concat(Enumerable.Range(0, 5_000).Select(number => (char)(0x4e00 + number)));
        Assert.True(await store.CreateAsync("key", Record("{}", labels: label), Token));
        Assert.Equal("key", Assert.Single(await store.FindAsync(label, Token)).Key);
    }

    [Fact]
    public async Task Who_listens_is_told_that_something_was_missed_once_the_connection_was_lost_and_then_hears_again()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new PostgreSqlSessionStore(source, new() { Notifications = true });
        var heard = Channel.CreateUnbounded<SessionNotification>();
        await using var subscription = await store.SubscribeAsync(notification => heard.Writer.TryWrite(notification), Token);
        await server.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", database);
        Assert.Equal(SessionNotificationKind.Missed, (await heard.Reader.ReadAsync(Token)).Kind);
        await using var other = new PostgreSqlSessionStore(source, new() { Notifications = true });
        Assert.True(await other.CreateAsync("key", Record("{}"), Token));
        await other.DeleteAsync("key", null, Token);
        Assert.Equal(new SessionNotification(SessionNotificationKind.Ended, "key"), await heard.Reader.ReadAsync(Token));
    }

    [Fact]
    public async Task A_store_that_was_not_told_to_notify_says_so()
    {
        await using var source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        ISessionStore store = new PostgreSqlSessionStore(source);
        Assert.Null(store.As<ISessionNotifications>());
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(async () => await ((ISessionNotifications)store).SubscribeAsync(_ => { }, Token));
        Assert.Contains("Notifications", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_that_hold_a_session_exclusively_run_one_after_another_in_two_applications()
    {
        var database = await server.NewDatabaseAsync();
        await using var one = await StoreApp.StartAsync(builder => builder.UsePostgreSql(database));
        await using var other = await StoreApp.StartAsync(builder => builder.UsePostgreSql(database));
        await StoreApp.AssertExclusiveAsync(one, other);
    }

    [Fact]
    public async Task Unlogged_tables_are_made_where_they_are_asked_for()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await new PostgreSqlSessionStore(source, new() { Unlogged = true, SchemaName = "web" }).EnsureSchemaAsync(Token);
        Assert.Equal(
            3,
            await server.ScalarAsync<long>(
                "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u' AND relnamespace = 'web'::regnamespace", database));
    }

    [Fact]
    public async Task Options_and_connection_strings_that_cannot_be_meant_are_refused()
    {
        Assert.ThrowsAny<ArgumentException>(() => new ServiceCollection().AddSojournCore().UsePostgreSql("Host=localhost;Nonsense=1"));
        await using var source = PostgreSqlDatabase.Open(server.Owner);
        Assert.Throws<ArgumentException>(() => new PostgreSqlSessionStore(source, new() { TablePrefix = "a\"b" }));
        Assert.Throws<ArgumentException>(() => new ConnectPgSimpleSessionStore(source, new() { TimeToLive = TimeSpan.Zero }));
        await using var services = new ServiceCollection().AddSojournCore().UsePostgreSql(
            new ConfigurationBuilder().Build().GetSection("Sessions")).Services.BuildServiceProvider();
        Assert.Contains(
            "ConnectionString", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<ISessionStore>()).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_section_of_the_configuration_says_where_and_how(bool isNodeLayout)
    {
        var database = await server.NewDatabaseAsync();
        var section = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Sessions:ConnectionString"] = database,
            ["Sessions:TablePrefix"] = "from_section_",
            ["Sessions:TableName"] = "from_section_sessions",
        }).Build().GetSection("Sessions");
        await using var app = await StoreApp.StartAsync(builder => _ = isNodeLayout ? builder.UseConnectPgSimple(section) : builder.UsePostgreSql(section));
        await app.RecoveredAsync();
        Assert.Equal(1, await server.ScalarAsync<long>("SELECT count(*) FROM from_section_sessions", database));
    }

    internal static SessionRecord Record(string document, TimeSpan? expiresIn = null, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(document), TimeProvider.System.GetUtcNow() + (expiresIn ?? TimeSpan.FromHours(1)), [.. labels]);
}
