using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>express-session with the npm store and Sojourn with the same store's layout share their sessions, whoever wrote them first.</summary>
/// <param name="node">The npm store.</param>
/// <param name="use">Sojourn's store on the same database.</param>
public abstract class CrossStoreTests(NodeSide node, Action<SojournBuilder> use) : IAsyncLifetime
{
    private static readonly JsonObject Changes = new()
    {
        ["fromSojourn"] = "Příliš žluťoučký 🐎 </script>  ",
        ["count"] = 1,
        ["nested"] = new JsonObject { ["list"] = new JsonArray(1, 2.5, null, new JsonObject { ["deep"] = true }), ["safe"] = 9007199254740991 },
    };

    private readonly IReadOnlyList<CrossSession> _sessions = NodeSide.Sessions;
    private SojournSide _sojourn = null!;

    /// <summary>Whether each request moves the expiry, however short ago another did.</summary>
    protected virtual bool TouchesEachTime => true;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _sojourn = await SojournSide.StartAsync(use);
        await node.RunAsync("destroy", _sessions);
    }

    public ValueTask DisposeAsync() => _sojourn.DisposeAsync();

    [Fact]
    public async Task What_express_session_wrote_is_read_and_changed_here_and_read_and_changed_there()
    {
        await node.RunAsync("write", _sessions);
        foreach (var session in _sessions)
        {
            await _sojourn.CheckAsync(session);
            await _sojourn.AskAsync(session, found =>
            {
                found.Set("fromSojourn", Changes["fromSojourn"]);
                found.Update<int>("count", static count => count + 1);
                found.Set("nested", Changes["nested"]);
            });
        }

        var changed = _sessions.Select(session => session.With(Changes)).ToList();
        await node.RunAsync("read", changed);
        foreach (var session in changed)
        {
            await _sojourn.CheckAsync(session);
        }
    }

    [Fact]
    public async Task What_is_written_here_first_is_read_and_changed_there_and_read_here()
    {
        foreach (var session in _sessions)
        {
            await _sojourn.CreateAsync(session);
        }

        await node.RunAsync("read", _sessions);
        foreach (var session in _sessions)
        {
            await _sojourn.CheckAsync(session);
        }
    }

    [Fact]
    public async Task A_session_is_changed_outside_requests_and_read_there()
    {
        var written = _sessions.Where(session => session.Data.Count > 0).ToList();
        await node.RunAsync("write", written);
        foreach (var session in written)
        {
            var loaded = await _sojourn.Sessions.LoadAsync(session.Sid, Token);
            SojournSide.Set(loaded!, Changes);
            loaded!.Remove(session.Data.First().Key);
            await _sojourn.Sessions.CommitAsync(loaded, Token);
        }

        await node.RunAsync("read", written.Select(session => session.Without(session.Data.First().Key).With(Changes)));
    }

    [Fact]
    public async Task A_request_that_changes_nothing_lets_the_session_live_on_whichever_side_it_came_to()
    {
        Assert.SkipUnless(TouchesEachTime, "The layout is set to touch no session that was written shortly before.");
        await node.RunAsync("write", _sessions);
        foreach (var session in _sessions)
        {
            await ShortenAsync(session);
            await _sojourn.CheckAsync(session);
        }

        await node.RunAsync("fresh", _sessions);
        foreach (var session in _sessions)
        {
            await ShortenAsync(session);
        }

        await node.RunAsync("touch", _sessions);
        foreach (var session in _sessions)
        {
            var record = await _sojourn.Store.ReadAsync(session.Sid, Token);
            var lifetime = session.MaxAge ?? ((INodeLayout)_sojourn.Store).TimeToLive;
            Assert.InRange(
                record!.ExpiresAt, TimeProvider.System.GetUtcNow() + lifetime - TimeSpan.FromSeconds(30),
                TimeProvider.System.GetUtcNow() + lifetime + TimeSpan.FromSeconds(2));
        }
    }

    [Fact]
    public async Task A_touched_session_lives_as_long_as_its_store_says_though_its_own_JSON_has_expired()
    {
        var touched = _sessions.Where(session => session.MaxAge is not null && session.CookieOptions.Count == 0).ToList();
        await node.RunAsync("stale", touched);
        await Task.Delay(TimeSpan.FromSeconds(1.1), TimeProvider.System, Token);
        foreach (var session in touched)
        {
            await _sojourn.AskAsync(session, found => Assert.Equal(session.Sid, found.Id));
            await _sojourn.AskAsync(session, found => SojournSide.Set(found, Changes));
        }

        await node.RunAsync("read", touched.Select(session => session.With(Changes)));
    }

    [Fact]
    public async Task What_has_expired_is_gone_on_both_sides()
    {
        var expiring = _sessions.Take(2).Select(session => session with { MaxAge = TimeSpan.FromSeconds(1) }).ToList();
        await node.RunAsync("write", expiring[0]);
        await _sojourn.CreateAsync(expiring[1]);
        foreach (var session in expiring)
        {
            // The stores count in whole seconds, some rounded up, some to the nearest.
            while (await _sojourn.Store.ReadAsync(session.Sid, Token) is { } record && record.ExpiresAt > TimeProvider.System.GetUtcNow().AddSeconds(-1))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }

        await node.RunAsync("gone", expiring);
        foreach (var session in expiring)
        {
            await _sojourn.CheckGoneAsync(session);
        }
    }

    [Fact]
    public async Task What_one_side_destroyed_is_gone_on_the_other()
    {
        await node.RunAsync("write", _sessions);
        foreach (var session in _sessions)
        {
            await _sojourn.DestroyAsync(session);
        }

        await node.RunAsync("gone", _sessions);
        foreach (var session in _sessions)
        {
            await _sojourn.CreateAsync(session);
        }

        await node.RunAsync("destroy", _sessions);
        foreach (var session in _sessions)
        {
            await _sojourn.CheckGoneAsync(session);
        }
    }

    /// <summary>Neither side would put it there.</summary>
    private async Task ShortenAsync(CrossSession session)
    {
        var record = await _sojourn.Store.ReadAsync(session.Sid, Token);
        var result = await _sojourn.Store.TouchAsync(session.Sid, record!, TimeProvider.System.GetUtcNow().AddSeconds(20), Token);
        Assert.Equal(WriteOutcome.Done, result.Outcome);
    }
}
