namespace Sojourn;

internal static class KeyHash
{
    /// <summary>A hash of a key's end, keyed anew in every process: keys are hashes or random ids, which their ends tell apart.</summary>
    public static int Of(string key) => string.GetHashCode(key.AsSpan(Math.Max(0, key.Length - 8)), StringComparison.Ordinal);
}
