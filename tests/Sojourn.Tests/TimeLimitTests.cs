using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

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
}
