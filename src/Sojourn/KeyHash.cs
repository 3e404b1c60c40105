namespace Sojourn;

internal static class KeyHash
{
    /// <summary>A hash of a key's end, keyed anew in every process: keys are hashes or random ids, so that their end tells them apart as well as all of them.</summary>
    public static int Of(string key) => string.GetHashCode(key.AsSpan(Math.Max(0, key.Length - 8)), StringComparison.Ordinal);
}
