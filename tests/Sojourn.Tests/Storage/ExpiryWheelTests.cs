using Sojourn.Storage;

namespace Sojourn.Tests.Storage;

public sealed class ExpiryWheelTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 30, TimeSpan.Zero);

    private readonly ExpiryWheel _wheel = new(Start);

    [Fact]
    public void Only_the_keys_that_are_due_are_looked_at()
    {
        for (var number = 0; number < 10_000; number++) _wheel.File("later", Start.AddMinutes(20));
        _wheel.File("due", Start.AddMinutes(5));
        Assert.Equal(["due"], _wheel.TakeDue(Start.AddMinutes(10)));
        Assert.Equal(10_000, _wheel.Count);
        Assert.Equal(10_000, _wheel.TakeDue(Start.AddMinutes(20)).Count);
        Assert.Equal(0, _wheel.Count);
    }

    [Fact]
    public void A_key_beyond_the_end_of_the_wheel_is_looked_at_on_the_way()
    {
        _wheel.File("next week", Start.AddDays(7));
        Assert.Empty(_wheel.TakeDue(Start.AddMinutes(62)));
        Assert.Equal(["next week"], _wheel.TakeDue(Start.AddMinutes(63)));
    }

    [Fact]
    public void A_key_that_has_expired_already_is_due_at_once()
    {
        _wheel.File("late", Start.AddDays(-1));
        Assert.Equal(["late"], _wheel.TakeDue(Start));
    }

    [Fact]
    public void A_leap_of_the_clock_takes_everything_it_passes_once()
    {
        for (var minute = 0; minute < 200; minute++) _wheel.File("key", Start.AddMinutes(minute));
        Assert.Equal(200, _wheel.TakeDue(Start.AddYears(1)).Count);
        Assert.Empty(_wheel.TakeDue(Start.AddYears(1)));
    }

    [Fact]
    public void A_clock_that_goes_back_loses_nothing()
    {
        Assert.Empty(_wheel.TakeDue(Start.AddHours(5)));
        _wheel.File("key", Start.AddHours(1));
        Assert.Equal(["key"], _wheel.TakeDue(Start.AddHours(1)));
    }
}
