using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sojourn.Subjects;

/// <summary>
/// What the registry holds of a label: its epoch, which moves when all that bears the label ends, and, of a subject, the places that its sessions have.
/// </summary>
internal sealed record SubjectEntry
{
    public string? Epoch { get; init; }

    /// <summary>When the epoch moved.</summary>
    public DateTimeOffset? MovedAt { get; init; }

    /// <summary>The ends that are under way: until they are through, nothing begins that bears the label.</summary>
    public string[] Ends { get; init; } = [];

    public SubjectPlace[] Places { get; init; } = [];

    public static SubjectEntry Parse(byte[]? utf8)
    {
        try
        {
            return utf8 is null ? new() : JsonSerializer.Deserialize(utf8, SubjectEntryContext.Default.SubjectEntry) ?? new();
        }
        catch (JsonException)
        {
            return new();
        }
    }

    public byte[] ToUtf8() => JsonSerializer.SerializeToUtf8Bytes(this, SubjectEntryContext.Default.SubjectEntry);
}

/// <summary>A place that a session has, or is about to have.</summary>
/// <param name="Handle">The session's.</param>
/// <param name="TakenAt">When a sign-in took it that is not done yet; <see langword="null"/> once its session is there.</param>
internal sealed record SubjectPlace(string Handle, DateTimeOffset? TakenAt);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SubjectEntry))]
internal sealed partial class SubjectEntryContext : JsonSerializerContext;
