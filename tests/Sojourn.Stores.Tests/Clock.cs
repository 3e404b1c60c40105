namespace Sojourn.Stores.Tests;

/// <summary>The system's clock, off by some time, as that of another machine; timers run as they do.</summary>
internal sealed class Clock : TimeProvider
{
    public static TimeProvider MinuteAhead => new Clock { Shift = TimeSpan.FromMinutes(1) };

    public TimeSpan Shift { get; set; }

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;
}
