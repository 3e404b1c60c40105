namespace Sojourn.Dashboard.Health;

internal enum FindingLevel
{
    Problem,
    Advice,

    /// <summary>A choice of the application's, said for who wonders.</summary>
    Note,

    Good,
}

/// <summary>What a check found.</summary>
/// <param name="Level">How bad it is.</param>
/// <param name="Title">What was looked at.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Fix">What to do; <see langword="null"/> where nothing is to be done.</param>
internal sealed record Finding(FindingLevel Level, string Title, string Detail, string? Fix = null);
