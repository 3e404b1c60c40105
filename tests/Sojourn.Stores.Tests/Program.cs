using Sojourn.Stores.Tests.Sqlite;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Sojourn.Stores.Tests;

/// <summary>The tests, and the processes that some of them start beside themselves, or kill.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        if (args is ["sqlite", .. var rest]) return await SqliteChild.RunAsync(rest);
        if (args.Any(arg => arg is "-automated" or "@@")) return await ConsoleRunner.Run(args);
        return await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
    }
}
