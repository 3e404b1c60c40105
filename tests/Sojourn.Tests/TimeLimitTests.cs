using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.Storage;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests;

/// <summary>TimeSpan.MaxValue is what people write for never, and more than timers and dates hold.</summary>
public sealed class TimeLimitTests
{
    [Theory]
    [InlineData("StoreTimeout")]
    [InlineData("ExclusiveTimeout")]
    [InlineData("PruneInterval")]
    [InlineData("AbsoluteTimeout")]
    [InlineData("RememberMe.AbsoluteTimeout")]
    public void A_time_that_no_timer_or_date_can_hold_is_refused(string option)
    {
        var services = new ServiceCollection();
        services.AddSojournCore();
        services.Configure<SojournOptions>(o =>
        {
            o.ApplicationName = "tests";
            switch (option)
            {
                case "StoreTimeout": o.StoreTimeout = TimeSpan.MaxValue; break;
                case "ExclusiveTimeout": o.ExclusiveTimeout = TimeSpan.MaxValue; break;
                case "PruneInterval": o.PruneInterval = TimeSpan.MaxValue; break;
                case "AbsoluteTimeout": o.AbsoluteTimeout = TimeSpan.MaxValue; break;
                default: o.RememberMe.AbsoluteTimeout = TimeSpan.MaxValue; break;
            }
        });
        using var provider = services.BuildServiceProvider();
        var refused = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());
        Assert.Contains(option, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>In the layout of an npm store sessions live as long as the layout says, whatever IdleTimeout is by default.</summary>
    [Fact]
    public void A_touch_interval_is_shorter_than_sessions_live_in_the_store()
    {
        var layout = new EncryptingStoreTests.NpmStore(new MemorySessionStore());
        Assert.NotNull(EngineOf(layout, TimeSpan.FromHours(1)).Sessions);
        Assert.Contains("TimeToLive of the store's layout", Refused(layout, TimeSpan.FromDays(1)), StringComparison.Ordinal);
        Assert.NotNull(EngineOf(new MemorySessionStore(), TimeSpan.FromMinutes(19)).Sessions);
        Assert.Contains("IdleTimeout", Refused(new MemorySessionStore(), TimeSpan.FromMinutes(20)), StringComparison.Ordinal);

        static Engine EngineOf(ISessionStore store, TimeSpan interval) => new(store, TimeProvider.System, o => o.TouchInterval = interval);
        static string Refused(ISessionStore store, TimeSpan interval) =>
            Assert.Throws<OptionsValidationException>(() => EngineOf(store, interval).Sessions).Message;
    }
}
