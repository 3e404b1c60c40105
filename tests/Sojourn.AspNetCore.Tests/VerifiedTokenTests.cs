using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using Sojourn.AspNetCore.Transport;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What tokens verified for is remembered for a while, and changes nothing that a visitor could see.</summary>
public sealed class VerifiedTokenTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_token_is_remembered_once_it_comes_again_and_for_a_minute()
    {
        var tokens = new VerifiedTokens();
        var verified = new VerifiedToken("id", isSignedWithFirst: true);
        tokens.Note("s:id.its-signature", isEncoded: false, verified, _time.GetUtcNow());
        Assert.Null(tokens.Find("s:id.its-signature", isEncoded: false, _time.GetUtcNow()));
        tokens.Note("s:id.its-signature", isEncoded: false, verified, _time.GetUtcNow());
        Assert.Same(verified, tokens.Find("s:id.its-signature", isEncoded: false, _time.GetUtcNow()));
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Same(verified, tokens.Find("s:id.its-signature", isEncoded: false, _time.GetUtcNow()));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(tokens.Find("s:id.its-signature", isEncoded: false, _time.GetUtcNow()));
    }

    /// <summary>A table that is too small for the tokens that are busy gives way to a larger one, and that to a smaller one when the rush is over.</summary>
    [Fact]
    public void As_many_are_remembered_as_are_busy()
    {
        const int Busy = 60_000;
        var tokens = new VerifiedTokens();
        for (var round = 0; round < 5; round++)
        {
            for (var i = 0; i < Busy; i++) Use(i);
        }

        Assert.InRange(Enumerable.Range(0, Busy).Count(IsRemembered), Busy * 2 / 3, Busy);
        for (var minute = 0; minute < 4; minute++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            for (var i = 0; i < 100; i++)
            {
                Use(i);
                Use(i);
            }

            Assert.InRange(Enumerable.Range(0, 100).Count(IsRemembered), 90, 100);
        }

        Assert.DoesNotContain(Enumerable.Range(100, Busy - 100), IsRemembered);

        static string At(int i) => $"s:id{i}.{i * 7919L:x16}";
        bool IsRemembered(int i) => tokens.Find(At(i), isEncoded: false, _time.GetUtcNow()) is not null;
        void Use(int i)
        {
            if (!IsRemembered(i)) tokens.Note(At(i), isEncoded: false, new VerifiedToken($"id{i}", isSignedWithFirst: true), _time.GetUtcNow());
        }
    }

    [Fact]
    public void Only_the_very_token_is_found_and_only_as_it_was_sent()
    {
        var tokens = new VerifiedTokens();
        const string Known = "s:id.its-signature";
        tokens.Note(Known, isEncoded: false, new VerifiedToken("id", isSignedWithFirst: true), _time.GetUtcNow());
        tokens.Note(Known, isEncoded: false, new VerifiedToken("id", isSignedWithFirst: true), _time.GetUtcNow());
        Assert.Null(tokens.Find(Known, isEncoded: true, _time.GetUtcNow()));
        for (var i = 0; i < Known.Length; i++)
        {
            Assert.Null(tokens.Find(Known[..i] + (char)(Known[i] ^ 1) + Known[(i + 1)..], isEncoded: false, _time.GetUtcNow()));
            Assert.Null(tokens.Find(Known.AsSpan(0, i), isEncoded: false, _time.GetUtcNow()));
        }

        Assert.Null(tokens.Find(Known + "x", isEncoded: false, _time.GetUtcNow()));
    }

    [Fact]
    public async Task A_session_that_ended_is_ended_for_a_token_that_is_remembered()
    {
        var store = new MemorySessionStore();
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/set", (Session session) => session.Set("name", "ada"));
                app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
                app.MapPost("/destroy", async (Session session) => await session.DestroyAsync());
            },
            store);
        using var client = app.NewClient();
        await client.PostAsync("/set", null, Token);
        var cookie = TestApp.CookiesOf(client).GetCookies(app.Address)["sid"]!.Value;
        using var other = app.NewBareClient();
        other.DefaultRequestHeaders.Add("Cookie", "sid=" + cookie);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("ada", await other.GetStringAsync("/get", Token));
        }

        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync("/destroy", null, Token)).StatusCode);
        Assert.Equal("nobody", await other.GetStringAsync("/get", Token));
    }
}
