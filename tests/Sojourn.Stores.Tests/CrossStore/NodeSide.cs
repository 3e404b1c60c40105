using System.Text.Json.Nodes;

namespace Sojourn.Stores.Tests.CrossStore;

/// <summary>express-session on a real npm store: <c>tests/crossstore/cross.mjs</c>, one verb a run.</summary>
/// <param name="Kind">Which npm store.</param>
/// <param name="Url">Where its database is.</param>
/// <param name="Options">The npm store's options.</param>
public sealed record NodeSide(string Kind, string Url, JsonObject? Options = null)
{
    private static readonly string Tests = Path.Combine(Repository(), "tests");
    private static readonly JsonObject File = JsonNode.Parse(System.IO.File.ReadAllText(Path.Combine(Tests, "crossstore", "sessions.json")))!.AsObject();
    private static readonly Lazy<Task> Packages = new(InstallAsync);

    internal static string Secret => File["secret"]!.GetValue<string>();

    internal static IReadOnlyList<CrossSession> Sessions { get; } = [.. File["sessions"]!.AsArray().Select(session => CrossSession.Parse(session!.AsObject()))];

    /// <summary>Runs the verb on the sessions; what does not fit fails the test with Node's own words.</summary>
    internal async Task RunAsync(string verb, params IEnumerable<CrossSession> sessions)
    {
        await Packages.Value;
        using var directory = new TempDirectory();
        var manifest = Path.Combine(directory.Path, "manifest.json");
        var json = new JsonObject { ["secret"] = Secret, ["sessions"] = new JsonArray([.. sessions.Select(session => session.ToJson())]) };
        await System.IO.File.WriteAllTextAsync(manifest, json.ToJsonString(), TestContext.Current.CancellationToken);
        await ServerProcess.RunAsync("node", Path.Combine(Tests, "crossstore", "cross.mjs"), verb, Kind, Url, manifest, Options?.ToJsonString() ?? "{}");
    }

    private static async Task InstallAsync()
    {
        var reference = Path.Combine(Tests, "express", "reference");
        var installed = new FileInfo(Path.Combine(reference, "node_modules", ".package-lock.json"));
        if (!installed.Exists || installed.LastWriteTimeUtc < System.IO.File.GetLastWriteTimeUtc(Path.Combine(reference, "package-lock.json")))
        {
            await ServerProcess.RunAsync("npm", "--prefix", reference, "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--silent");
        }
    }

    private static string Repository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!System.IO.File.Exists(Path.Combine(directory.FullName, "Sojourn.slnx")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("The tests run outside the repository.");
        }

        return directory.FullName;
    }
}
