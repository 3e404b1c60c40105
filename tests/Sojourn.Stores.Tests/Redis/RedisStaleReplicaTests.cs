using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.Redis;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>While the primary is away nobody asks a replica, which may not know what was answered before: of a sign-out, say.</summary>
public sealed class RedisStaleReplicaTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static SessionRecord Record(string json, params string[] labels) =>
        new(Encoding.UTF8.GetBytes(json), TimeProvider.System.GetUtcNow().AddHours(1), [.. labels]);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task While_the_primary_is_away_a_stale_replica_is_not_asked(bool node)
    {
        await using var primary = await RedisServer.StartNewAsync();
        await using var replica = await RedisServer.StartNewAsync("--replicaof", "127.0.0.1", primary.Port.ToString(CultureInfo.InvariantCulture));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(
            $"{primary.Configuration},{replica.Configuration},abortConnect=false,connectTimeout=500,syncTimeout=1000,asyncTimeout=1000");
        ISessionStore store = node ? new ConnectRedisSessionStore(connection) : new RedisSessionStore(connection);
        Assert.True(await store.CreateAsync("ended", Record("{}"), Token));
        var database = primary.Connection.GetDatabase();
        for (var n = 0; n < 100 && (int)await database.ExecuteAsync("WAIT", 1, 100) < 1; n++) await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);

        // The replica is cut off from its primary.
        await replica.Connection.GetDatabase().ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        Assert.Equal(WriteOutcome.Done, (await store.DeleteAsync("ended", null, Token)).Outcome);
        Assert.True(await store.CreateAsync("fresh", Record("{}"), Token));
        await primary.KillAsync();
        var answers = new List<string>();
        for (var n = 0; n < 6; n++)
        {
            foreach (var key in new[] { "ended", "fresh" })
            {
                try
                {
                    answers.Add(key + (await store.ReadAsync(key, Token) is null ? " is not there" : " is there"));
                }
                catch (Exception e) when (e is RedisException or TimeoutException)
                {
                    answers.Add("failed");
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        Assert.Equal("failed", string.Join(", ", answers.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ending_that_did_not_reach_the_primary_is_not_said_to_be_done(bool node)
    {
        await using var primary = await RedisServer.StartNewAsync();
        await using var replica = await RedisServer.StartNewAsync("--replicaof", "127.0.0.1", primary.Port.ToString(CultureInfo.InvariantCulture));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(
            $"{primary.Configuration},{replica.Configuration},abortConnect=false,connectTimeout=500,syncTimeout=1000,asyncTimeout=1000");
        ISessionStore store = node ? new ConnectRedisSessionStore(connection) : new RedisSessionStore(connection);
        await Task.Delay(TimeSpan.FromMilliseconds(1000), TimeProvider.System, Token);
        await replica.Connection.GetDatabase().ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        Assert.True(await store.CreateAsync("fresh", Record("{}", node ? [] : ["subject:1"]), Token));
        var current = (await store.ReadAsync("fresh", Token))!;
        await Task.Delay(TimeSpan.FromMilliseconds(1500), TimeProvider.System, Token);
        await primary.KillAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);
        var answers = new List<string>
        {
            await AnswerAsync(async () => "delete: " + (await store.DeleteAsync("fresh", null, Token)).Outcome),
            await AnswerAsync(async () => "delete unchanged: " + (await store.DeleteAsync("fresh", current, Token)).Outcome),
            await AnswerAsync(async () => "replace: " + (await store.ReplaceAsync("fresh", current, current, Token)).Outcome),
            await AnswerAsync(async () => "touch: " + (await store.TouchAsync("fresh", current, current.ExpiresAt.AddMinutes(1), Token)).Outcome),
            node ? "failed" : await AnswerAsync(async () => "deleted by label: " + await ((ISessionIndex)store).DeleteByLabelAsync("subject:1", Token)),
        };
        primary.Start();
        for (var n = 0; n < 50; n++)
        {
            var there = await AnswerAsync(async () => await store.ReadAsync("fresh", Token) is null ? "" : "and it lives");
            if (there == "and it lives")
            {
                answers.Add(there);
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        Assert.Equal("failed | failed | failed | failed | failed | and it lives", string.Join(" | ", answers));

        static async Task<string> AnswerAsync(Func<Task<string>> ask)
        {
            try
            {
                return await ask();
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                return "failed";
            }
        }
    }

    [Theory]
    [InlineData("/session")]
    [InlineData("administration")]
    public async Task A_visitor_who_signs_out_while_the_primary_is_away_is_not_told_that_it_worked(string how)
    {
        await using var primary = await RedisServer.StartNewAsync();
        await using var replica = await RedisServer.StartNewAsync("--replicaof", "127.0.0.1", primary.Port.ToString(CultureInfo.InvariantCulture));
        await using var app = await StoreApp.StartAsync(
            builder => builder.UseRedis($"{primary.Configuration},{replica.Configuration},abortConnect=false,connectTimeout=500,asyncTimeout=1000"));
        await Task.Delay(TimeSpan.FromMilliseconds(1000), TimeProvider.System, Token);
        await replica.Connection.GetDatabase().ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        using (var signedIn = await app.Visitor.PostAsync(new Uri("/sign-in/ada", UriKind.Relative), null, Token)) Assert.Equal(200, (int)signedIn.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        var stolen = new CookieContainer();
        stolen.Add(app.Cookies.GetAllCookies());
        using var thief = app.NewVisitor(stolen);
        await Task.Delay(TimeSpan.FromMilliseconds(1500), TimeProvider.System, Token);
        await primary.KillAsync();
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Token);
        var answer = "";
        if (how == "administration")
        {
            try
            {
                answer = "ended " + await app.Administration.EndAsync(new SessionFilter { Subject = "ada" }, cancellationToken: Token);
            }
            catch (Exception e) when (e is SessionStoreException)
            {
                answer = "failed";
            }
        }
        else
        {
            using var signedOut = await app.Visitor.DeleteAsync(new Uri(how, UriKind.Relative), Token);
            answer = ((int)signedOut.StatusCode).ToString(CultureInfo.InvariantCulture);
        }

        primary.Start();
        var count = "";
        for (var n = 0; n < 50 && count is not "1"; n++)
        {
            using var read = await thief.GetAsync(new Uri("/count", UriKind.Relative), Token);
            count = read.IsSuccessStatusCode ? await read.Content.ReadAsStringAsync(Token) : "";
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        Assert.Equal(how == "administration" ? "failed, then 1" : "503, then 1", $"{answer}, then {count}");
    }
}
