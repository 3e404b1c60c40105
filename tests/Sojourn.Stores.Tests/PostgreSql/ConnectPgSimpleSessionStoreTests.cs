using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.PostgreSql;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>The table as connect-pg-simple makes, fills and reads it.</summary>
public sealed class ConnectPgSimpleSessionStoreTests(PostgresServer server)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_session_is_its_JSON_under_its_id_and_lives_as_long_as_its_cookie()
    {
        var database = await server.NewDatabaseAsync();
        await using var services = Services(database);
        var manager = services.GetRequiredService<SessionManager>();
        var session = manager.Create();
        session.Set("name", "Ada 🐎");
        await manager.CommitAsync(session, Token);
        Assert.StartsWith("""{"cookie":{"originalMaxAge":null,"expires":null""", await server.ScalarAsync<string>($"SELECT sess::text FROM session WHERE sid = '{session.Id}'", database), StringComparison.Ordinal);
        Assert.InRange(await server.ScalarAsync<double>("SELECT extract(epoch FROM expire - localtimestamp) / 3600 FROM session", database), 23.9, 24.1);

        // As a Node application writes it.
        await server.ExecuteAsync(
            """
            UPDATE session SET sess = '{"cookie":{"originalMaxAge":60000,"expires":"2030-01-02T03:04:05.678Z","httpOnly":true,"path":"/"}, "views" : 1}', expire = to_timestamp(extract(epoch FROM now()) + 60)
            """, database);
        var loaded = (await manager.LoadAsync(session.Id, Token))!;
        loaded.Update<int>("views", views => views + 1);
        await manager.CommitAsync(loaded, Token);
        Assert.EndsWith("""},"views":2}""", await server.ScalarAsync<string>("SELECT sess::text FROM session", database), StringComparison.Ordinal);
        Assert.InRange(await server.ScalarAsync<double>("SELECT extract(epoch FROM expire - localtimestamp) FROM session", database), 50, 61);
    }

    /// <summary>A timestamp without time zone means what the connection's time zone says, on both sides.</summary>
    [Theory]
    [InlineData("UTC")]
    [InlineData("America/New_York")]
    [InlineData("Asia/Kolkata")]
    public async Task An_expiry_is_told_by_the_time_zone_of_the_connection(string zone)
    {
        var database = $"{await server.NewDatabaseAsync()};Timezone={zone}";
        await using var source = PostgreSqlDatabase.Open(database);
        await using var store = new ConnectPgSimpleSessionStore(source);
        var expires = new DateTimeOffset(2031, 7, 1, 12, 0, 0, 500, TimeSpan.Zero);
        Assert.True(await store.CreateAsync("key", new("{}"u8.ToArray(), expires), Token));
        Assert.Equal(expires.AddMilliseconds(500), (await store.ReadAsync("key", Token))!.ExpiresAt);
        var local = TimeZoneInfo.ConvertTime(expires.AddMilliseconds(500), TimeZoneInfo.FindSystemTimeZoneById(zone));
        Assert.Equal(
            local.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture),
            await server.ScalarAsync<string>("SELECT expire::text FROM session", database));
    }

    [Fact]
    public async Task The_table_is_that_of_connect_pg_simple()
    {
        var database = await server.NewDatabaseAsync();
        await using var source = PostgreSqlDatabase.Open(database);
        await new ConnectPgSimpleSessionStore(source).EnsureSchemaAsync(Token);
        Assert.Equal(
            "sid:character varying:NO sess:json:NO expire:timestamp without time zone:NO",
            await server.ScalarAsync<string>(
                "SELECT string_agg(column_name || ':' || data_type || ':' || is_nullable, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'session'",
                database));
        Assert.Equal(
            "IDX_session_expire session_pkey",
            await server.ScalarAsync<string>(
                "SELECT string_agg(indexname, ' ' ORDER BY indexname COLLATE \"C\") FROM pg_indexes WHERE tablename = 'session'", database));
    }

    [Fact]
    public async Task Each_verb_is_one_statement()
    {
        await using var own = await PostgresServer.StartLoggingAsync();
        await using var source = PostgreSqlDatabase.Open(own.Owner);
        await using var store = new ConnectPgSimpleSessionStore(source);
        await store.EnsureSchemaAsync(Token);
        var record = new SessionRecord("{}"u8.ToArray(), TimeProvider.System.GetUtcNow().AddHours(1));
        Assert.Equal(["INSERT"], await own.StatementsOfAsync(async () => await store.CreateAsync("key", record, Token)));
        SessionRecord? current = null;
        Assert.Equal(["SELECT"], await own.StatementsOfAsync(async () => current = await store.ReadAsync("key", Token)));
        Assert.Equal(["UPDATE"], await own.StatementsOfAsync(async () => await store.TouchAsync("key", current!, current!.ExpiresAt.AddMinutes(1), Token)));
        var next = new SessionRecord("""{"a":1}"""u8.ToArray(), record.ExpiresAt);
        Assert.Equal(["UPDATE"], await own.StatementsOfAsync(async () => await store.ReplaceAsync("key", current!, next, Token)));
        Assert.Equal(
            ["UPDATE", "SELECT"],
            await own.StatementsOfAsync(async () => Assert.Equal(WriteOutcome.Conflict, (await store.ReplaceAsync("key", current!, record, Token)).Outcome)));
        current = await store.ReadAsync("key", Token);
        Assert.Equal(["DELETE"], await own.StatementsOfAsync(async () => await store.DeleteAsync("key", current, Token)));
    }

    [Fact]
    public async Task Labels_have_no_place_and_that_is_said_by_the_layouts_name()
    {
        await using var source = PostgreSqlDatabase.Open(await server.NewDatabaseAsync());
        await using var store = new ConnectPgSimpleSessionStore(source);
        Assert.Contains(
            "connect-pg-simple", (await Assert.ThrowsAsync<NotSupportedException>(async () => await store.FindAsync("subject:1", Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "connect-pg-simple", (await Assert.ThrowsAsync<NotSupportedException>(async () => await store.DeleteByLabelAsync("subject:1", Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beside_the_layout_an_idle_timeout_is_refused()
    {
        await using var services = Services(server.Owner, o => o.IdleTimeout = TimeSpan.FromHours(1));
        Assert.Contains(
            "TimeToLive", Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<SessionManager>()).Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Services(string database, Action<SojournOptions>? options = null) =>
        new ServiceCollection().AddSojournCore().UseConnectPgSimple(database).Services
        .Configure<SojournOptions>(o =>
        {
            o.ApplicationName = "tests";
            options?.Invoke(o);
        }).BuildServiceProvider();
}
