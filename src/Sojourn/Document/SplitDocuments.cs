using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// Remembers how the documents of busy sessions are split that stay in the process, in a store in memory or in a near cache, so that one is not split at every
/// request. Bounded, for all of the process. Thread-safe.
/// </summary>
internal static class SplitDocuments
{
    /// <summary>In bytes; a longer document is not kept from being collected by this.</summary>
    private const int MaxLength = 8 * 1024;
    private static readonly DirectMappedCache<SessionDocument> Places = new(4096);

    /// <summary>The document of these very bytes, not of equal ones; to be copied.</summary>
    public static SessionDocument? Find(string key, SessionRecord record) =>
        Places.Find(HashOf(key)) is { } document && document.IsOf(record.Document) ? document : null;

    /// <summary>Notes a document that was split.</summary>
    /// <returns>Whether it is remembered, so that it must not be changed any more.</returns>
    public static bool Note(string key, SessionRecord record, SessionDocument document) => Places.IsAgain(HashOf(key)) && Remember(key, record, document);

    /// <summary>Remembers a document that was split or written, in place of the session's last, unless it has been changed since.</summary>
    /// <returns>Whether it is remembered, so that it must not be changed any more.</returns>
    public static bool Remember(string key, SessionRecord record, SessionDocument document)
    {
        if (!document.IsOf(record.Document) || record.Document.Length > MaxLength || document.ReadMetadata() is null)
        {
            return false;
        }

        document.IsRemembered = true;
        Places.Remember(HashOf(key), document);
        return true;
    }

    /// <summary>Of a key's end: keys are hashes or random ids.</summary>
    private static int HashOf(string key) => string.GetHashCode(key.AsSpan(Math.Max(0, key.Length - 8)), StringComparison.Ordinal);
}
