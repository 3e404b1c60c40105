using System.Diagnostics;
using System.Text.Json;
using Microsoft.Playwright;

namespace Sojourn.Browser.Tests;

/// <summary>axe-core, which finds what keeps people with disabilities out of a page.</summary>
public static class AxeCore
{
    private static readonly Lazy<Task<string>> Source = new(InstallAsync);

    /// <summary>What it finds on a page, a line each: the rule, and the element that breaks it.</summary>
    public static async Task<IReadOnlyList<string>> FindAsync(IPage page)
    {
        // By the debugger, which no content security policy stops.
        await page.EvaluateAsync(await Source.Value);
        var found = await page.EvaluateAsync<JsonElement>(
            "() => axe.run({ resultTypes: ['violations'] }).then(r => r.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} "
            + "${n.failureSummary}`)))");
        return [.. found.EnumerateArray().Select(each => each.GetString()!)];
    }

    private static async Task<string> InstallAsync()
    {
        var project = ShopServer.Metadata("Project");
        var script = Path.Combine(project, "node_modules", "axe-core", "axe.min.js");
        if (!File.Exists(script))
        {
            using var npm = Process.Start("npm", ["--prefix", project, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
            await npm.WaitForExitAsync();
            Assert.Equal(0, npm.ExitCode);
        }

        return await File.ReadAllTextAsync(script);
    }
}
