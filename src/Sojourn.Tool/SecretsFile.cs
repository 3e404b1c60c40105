using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sojourn.Tool;

/// <summary>The secrets in a JSON configuration file, changed in one step: whoever reads the file sees it before or after.</summary>
internal static class SecretsFile
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <returns>How many secrets there are afterwards.</returns>
    /// <exception cref="ToolException">The file is no JSON object without comments, or its secrets are not texts.</exception>
    public static async Task<int> ChangeAsync(string path, string section, Func<List<string>, List<string>> change, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            throw new ToolException($"There is no file {path}.");
        }

        try
        {
            var root = JsonNode.Parse(await File.ReadAllTextAsync(path, cancellationToken)) as JsonObject ?? throw new JsonException("It is no JSON object.");
            var parent = section.Split(':').Aggregate(root, static (parent, name) =>
            {
                var own = OwnName(parent, name);
                return (JsonObject)(parent[own] ??= new JsonObject());
            });
            var list = OwnName(parent, "Secrets");
            var secrets = change(
                [.. ((JsonArray?)parent[list] ?? []).Select(static secret => secret?.GetValue<string>() ?? throw new JsonException("A secret is null."))]);
            parent[list] = new JsonArray([.. secrets.Select(static secret => JsonValue.Create(secret))]);
            await ReplaceAsync(path, root.ToJsonString(Indented) + "\n", cancellationToken);
            return secrets.Count;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or InvalidCastException or ArgumentException)
        {
            // No word of the file's text, which holds secrets.
            throw new ToolException(
                $"{path} is no JSON object without comments, in which {section}:Secrets is a list of texts. Put what 'sojourn secret new' prints first in it "
                + "by hand.");
        }
    }

    /// <summary>The name as the file writes it: a configuration's names have no case, and a colon in one is a level.</summary>
    private static string OwnName(JsonObject parent, string name) =>
        parent.Any(member => member.Key.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)) || name is ""
            ? throw new JsonException("A name spans levels.")
            : parent.Select(static member => member.Key).FirstOrDefault(key => string.Equals(key, name, StringComparison.OrdinalIgnoreCase)) ?? name;

    private static async Task ReplaceAsync(string path, string text, CancellationToken cancellationToken)
    {
        // A link stays one: what it points to is replaced.
        path = new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
        var temporary = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = File.GetUnixFileMode(path);
        }

        await using (var writer = new StreamWriter(temporary, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), options))
        {
            await writer.WriteAsync(text.AsMemory(), cancellationToken);
        }

        if (!OperatingSystem.IsWindows())
        {
            // What it was made with is narrowed by the umask.
            File.SetUnixFileMode(temporary, File.GetUnixFileMode(path));
        }

        File.Move(temporary, path, overwrite: true);
    }
}
