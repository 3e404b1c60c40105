using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;

namespace Sojourn.Tests.Storage;

/// <summary>What a request does to a copy that is older than itself is done to what is stored.</summary>
public sealed class NearCacheWriteTests
{
    private readonly FakeTimeProvider _time = Engine.NewClock();
    private readonly MemorySessionStore _memory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_set_on_an_old_copy_is_stored()
    {
        var (here, there) = (Near(), Near());
        var id = await StoredAsync(there, "theme", "light");
        await here.LoadAsync(id, Token);
        var elsewhere = (await there.LoadAsync(id, Token))!;
        elsewhere.Set("theme", "dark");
        await there.CommitAsync(elsewhere, Token);

        // The visitor's next request, after the answer to the last.
        var back = (await here.LoadAsync(id, Token))!;
        back.Set("theme", "light");
        await here.CommitAsync(back, Token);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal("light", (await there.LoadAsync(id, Token))!.Get<string>("theme"));
    }

    [Fact]
    public async Task What_is_removed_on_an_old_copy_is_removed()
    {
        var (here, there) = (Near(), Near());
        var id = await StoredAsync(there, "theme", "light");
        await here.LoadAsync(id, Token);
        var elsewhere = (await there.LoadAsync(id, Token))!;
        elsewhere.Set("card", "4111");
        await there.CommitAsync(elsewhere, Token);
        var back = (await here.LoadAsync(id, Token))!;
        back.Remove("card");
        await here.CommitAsync(back, Token);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.False((await there.LoadAsync(id, Token))!.Contains("card"));
    }

    private static async Task<string> StoredAsync(SessionManager sessions, string name, string value)
    {
        var session = sessions.Create();
        session.Set(name, value);
        await sessions.CommitAsync(session, Token);
        return session.Id;
    }

    private SessionManager Near()
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(_time);
        services.AddSojournCore().UseStore(_ => _memory).WithNearCache();
        services.Configure<SojournOptions>(o => o.ApplicationName = "tests");
        return services.BuildServiceProvider().GetRequiredService<SessionManager>();
    }
}
