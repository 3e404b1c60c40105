using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using Xunit.v3;

[assembly: Sojourn.Engineering.HangGuard]

namespace Sojourn.Engineering;

/// <summary>
/// A test that waits for what never comes is cancelled and fails by its name, so that the others are heard of. One that does not heed that ends the run.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class HangGuardAttribute : BeforeAfterTestAttribute
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("SOJOURN_RACE_ROUNDS") is not null || Debugger.IsAttached;
    private static readonly TimeSpan Patience = IsLong ? TimeSpan.FromHours(2) : TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, Timer> _timers = new(StringComparer.Ordinal);

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        var context = TestContext.Current;
        var isCancelled = false;
        _timers[test.UniqueID] = new Timer(
            _ =>
            {
                if (isCancelled)
                {
                    Console.Error.WriteLine($"failed {test.TestDisplayName}: it hangs, and does not let itself be cancelled.");
                    Environment.Exit(1);
                }

                isCancelled = true;
                Console.Error.WriteLine($"{test.TestDisplayName} has run for {Patience}: it is cancelled.");
                context.CancelCurrentTest();
            },
            null, Patience, Grace);
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (_timers.TryRemove(test.UniqueID, out var timer)) timer.Dispose();
    }
}
