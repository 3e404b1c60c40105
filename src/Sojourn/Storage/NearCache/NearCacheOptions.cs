namespace Sojourn;

/// <summary>
/// How the copies of <see cref="SojournBuilder.WithNearCache"/> are bounded. Bound from the configuration section <c>Sojourn:NearCache</c>, then by code;
/// checked when the application starts.
/// </summary>
/// <remarks>Read once at start; a later change has no effect.</remarks>
public sealed class NearCacheOptions
{
    /// <summary>
    /// How old a copy may be that a request is served from, counted from when its reading began: nothing older is served, whether or not the store tells of
    /// changes. 2 seconds by default; more than zero, up to 5 minutes.
    /// </summary>
    public TimeSpan MaxStaleness { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many sessions are copied at the most. 10,000 by default; 1 to 10,000,000.</summary>
    public int MaxSessions { get; set; } = 10_000;

    /// <summary>How many bytes of memory the copies may take, about. 64 MiB by default; 64 KiB or more.</summary>
    public long MaxBytes { get; set; } = 64 * 1024 * 1024;
}
