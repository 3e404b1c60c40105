using System.Text.Json.Nodes;

namespace Sojourn.Tool.Migrating;

/// <summary>How far a migration has come, kept in a file.</summary>
/// <param name="After">
/// Where to go on: a part of the key, since a key of an npm store is an id. What begins like it is looked at again, which does no harm.
/// </param>
/// <param name="Counts">What was counted so far.</param>
internal sealed record Checkpoint(string? After, MigrationCounts Counts)
{
    private const int PlaceLength = 8;

    public static Checkpoint Beginning => new(null, new MigrationCounts());

    public static Checkpoint At(string key, MigrationCounts counts) => new(key[..Math.Min(PlaceLength, key.Length / 2)], counts);

    /// <exception cref="ToolException">The file is another migration's, or no checkpoint.</exception>
    public static async Task<Checkpoint> ReadAsync(string path, string migration, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return Beginning;
        }

        try
        {
            var json = JsonNode.Parse(await File.ReadAllTextAsync(path, cancellationToken))!.AsObject();
            if (json["migration"]?.GetValue<string>() != migration)
            {
                throw new ToolException($"{path} is the checkpoint of another migration: {json["migration"]}. Name another file, or delete it.");
            }

            var counts = new MigrationCounts();
            foreach (var outcome in MigrationCounts.Outcomes)
            {
                counts.Add(outcome, json["counts"]![MigrationCounts.NameOf(outcome)]!.GetValue<long>());
            }

            return new Checkpoint(json["after"]!.GetValue<string>(), counts);
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException or NullReferenceException or FormatException)
        {
            throw new ToolException($"{path} is no checkpoint. Name another file, or delete it to begin again.");
        }
    }

    /// <summary>In one step, so that a crash leaves the one before or this one.</summary>
    public async Task WriteAsync(string path, string migration, CancellationToken cancellationToken)
    {
        var json = new JsonObject { ["migration"] = migration, ["after"] = After, ["counts"] = CountsJson(Counts) };
        await File.WriteAllTextAsync(path + ".new", json.ToJsonString(), cancellationToken);
        File.Move(path + ".new", path, overwrite: true);
    }

    public static JsonObject CountsJson(MigrationCounts counts) =>
        new(MigrationCounts.Outcomes.Select(outcome => new KeyValuePair<string, JsonNode?>(MigrationCounts.NameOf(outcome), counts[outcome])));
}
