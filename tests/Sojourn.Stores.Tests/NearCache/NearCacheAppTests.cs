using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;
using Sojourn.Stores.Tests.Redis;

namespace Sojourn.Stores.Tests.NearCache;

/// <summary>Two applications with a near cache each, on one Redis: what a visitor sees who is served by now the one, now the other.</summary>
public sealed class NearCacheAppTests(RedisServer server)
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromMinutes(5);

    private readonly string _prefix = $"test:{Path.GetRandomFileName()}:";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task With_notifications_a_change_here_is_seen_there_at_once()
    {
        await using var one = await StartAsync(notifies: true);
        await using var other = await StartAsync(notifies: true);
        using var there = other.NewVisitor(one.Cookies);
        for (var count = 1; count <= 5; count++)
        {
            Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
            Assert.Equal(count, await one.ReadAsync());
            await SeenAsync(there, count);
        }
    }

    [Theory]
    [InlineData("destroyed by its visitor")]
    [InlineData("ended by an operator")]
    [InlineData("ended by its handle")]
    public async Task With_notifications_an_end_here_is_an_end_there_at_once(string how)
    {
        await using var one = await StartAsync(notifies: true);
        await using var other = await StartAsync(notifies: true);
        using var there = other.NewVisitor();
        var subject = await SignedInAsync(one, there);
        await EndAsync(one, subject, how);
        await SeenAsync(there, 0);
        Assert.Equal(0, await one.ReadAsync());
    }

    [Theory]
    [InlineData("destroyed by its visitor")]
    [InlineData("ended by an operator")]
    [InlineData("ended by its handle")]
    public async Task Without_them_a_change_or_end_here_is_seen_there_when_copies_are_as_old_as_they_may_be(string how)
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var one = await StartAsync(notifies: false, time);
        await using var other = await StartAsync(notifies: false, time);
        using var there = other.NewVisitor();
        var subject = await SignedInAsync(one, there);
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        Assert.Equal((2, 1), (await one.ReadAsync(), await ReadAsync(there)));
        time.Advance(MaxStaleness);
        Assert.Equal((2, 2), (await one.ReadAsync(), await ReadAsync(there)));
        await EndAsync(one, subject, how);
        Assert.Equal((0, 2), (await one.ReadAsync(), await ReadAsync(there)));
        time.Advance(MaxStaleness);
        Assert.Equal(0, await ReadAsync(there));
    }

    /// <summary>
    /// A request that began from an old copy meets a conflict, and its change is made to what is stored; or finds the session gone, and is told so.
    /// </summary>
    [Fact]
    public async Task A_change_that_began_from_an_old_copy_loses_nothing_and_revives_nothing()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var one = await StartAsync(notifies: false, time);
        await using var other = await StartAsync(notifies: false, time);
        using var there = other.NewVisitor();
        var subject = await SignedInAsync(one, there);
        for (var count = 0; count < 3; count++) Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        Assert.Equal(1, await ReadAsync(there));
        using (var counted = await there.PostAsync(new Uri("/count", UriKind.Relative), null, Token)) Assert.Equal(HttpStatusCode.OK, counted.StatusCode);
        Assert.Equal(5, await ReadAsync(there));
        await EndAsync(one, subject, "ended by an operator");
        using var late = await there.PostAsync(new Uri("/count", UriKind.Relative), null, Token);
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        Assert.Equal(0, await ReadAsync(there));
    }

    /// <summary>What a request finds under its turn is what the one before it left, wherever that ran.</summary>
    [Fact]
    public async Task Requests_that_hold_a_session_exclusively_begin_from_what_is_stored()
    {
        await using var one = await StartAsync(notifies: false);
        await using var other = await StartAsync(notifies: false);
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        using var there = other.NewVisitor(one.Cookies);
        for (var count = 2; count <= 9; count++)
        {
            using var answer = await (count % 2 == 0 ? one.Visitor : there).PostAsync(new Uri("/exclusive", UriKind.Relative), null, Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        // On a conflict Set is done again as it was: one that began from a copy would have written a smaller number over the greater.
        await using var third = await StartAsync(notifies: false);
        using var visitor = third.NewVisitor(one.Cookies);
        Assert.Equal(9, await ReadAsync(visitor));
    }

    [Fact]
    public async Task A_frozen_server_is_not_noticed_by_who_reads_a_young_copy_and_a_503_for_who_writes()
    {
        await using var own = await RedisServer.StartNewAsync();
        await using var app = await StoreApp.StartAsync(
            builder => builder.UseRedis(own.Configuration, o => o.Notifications = true).WithNearCache(MaxStaleness));
        Assert.Equal(HttpStatusCode.OK, await app.CountAsync());
        Assert.Equal(1, await app.ReadAsync());
        own.Freeze();
        Assert.Equal(1, await app.ReadAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await app.CountAsync());
        own.Thaw();
        await app.RecoveredAsync();
        Assert.InRange(await app.ReadAsync(), 2, 3);
    }

    [Fact]
    public async Task A_server_that_is_away_at_the_start_is_subscribed_to_once_it_is_there()
    {
        await using var own = await RedisServer.StartNewAsync();
        await own.KillAsync();
        await using var one = await StartOnAsync(own);
        await using var other = await StartOnAsync(own);
        own.Start();
        await one.RecoveredAsync();
        using var there = other.NewVisitor(one.Cookies);
        await SeenAsync(there, 1);
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        await SeenAsync(there, 2);

        Task<StoreApp> StartOnAsync(RedisServer on) =>
            StoreApp.StartAsync(builder => builder.UseRedis(on.Configuration + ",connectTimeout=500", o => o.Notifications = true).WithNearCache(MaxStaleness));
    }

    private static Task<int> ReadAsync(HttpClient visitor) => visitor.GetFromJsonAsync<int>("/count", Token);

    /// <summary>As soon as it was told: copies do not age so fast.</summary>
    private static async Task SeenAsync(HttpClient visitor, int count)
    {
        for (var attempt = 0; await ReadAsync(visitor) != count; attempt++)
        {
            Assert.True(attempt < 600, $"{count} was never seen.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }
    }

    /// <summary>Somebody who is signed in and counted once, as both applications know.</summary>
    private static async Task<string> SignedInAsync(StoreApp one, HttpClient there)
    {
        var subject = Path.GetRandomFileName();
        using (var signedIn = await one.Visitor.PostAsync(new Uri("/sign-in/" + subject, UriKind.Relative), null, Token)) Assert.Equal(HttpStatusCode.OK, signedIn.StatusCode);
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());

        // As a header, which stays when the session ends.
        there.DefaultRequestHeaders.Add("Cookie", one.Cookies.GetCookieHeader(one.Visitor.BaseAddress!));
        await SeenAsync(there, 1);
        return subject;
    }

    private static async Task EndAsync(StoreApp app, string subject, string how)
    {
        if (how == "destroyed by its visitor")
        {
            using var destroyed = await app.Visitor.DeleteAsync(new Uri("/session", UriKind.Relative), Token);
            Assert.Equal(HttpStatusCode.OK, destroyed.StatusCode);
            return;
        }

        var session = Assert.Single(await app.Administration.ListAsync(subject, cancellationToken: Token));
        var filter = how == "ended by its handle" ? new SessionFilter { Handle = session.Handle } : new SessionFilter { Subject = subject };
        Assert.Equal(1, await app.Administration.EndAsync(filter, cancellationToken: Token));
    }

    private Task<StoreApp> StartAsync(bool notifies, TimeProvider? time = null) => StoreApp.StartAsync(builder =>
    {
        if (time is not null) builder.Services.AddSingleton(time);
        builder.UseRedis(server.Configuration, o => (o.KeyPrefix, o.Notifications) = (_prefix, notifies)).WithNearCache(MaxStaleness);
    });
}
