using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// Remembers how the documents of busy sessions are split that stay in the process, in a store in memory or in a near cache, so that one is not split at every
/// request. Bounded. Thread-safe.
/// </summary>
internal sealed class SplitDocuments
{
    /// <summary>In bytes; a longer document is not kept from being collected by this.</summary>
    private const int MaxLength = 8 * 1024;
    private readonly DirectMappedCache<Split> _places = new(4096);

    /// <summary>
    /// Splits the record's document for a request of its session, who may have to share it; not again where that is busy and stays in the process.
    /// <see langword="null"/> as <see cref="SessionDocument.Of"/>.
    /// </summary>
    public SessionDocument? Of(SessionRecord record, string key)
    {
        if (!record.IsWellFormed)
        {
            return SessionDocument.Of(record);
        }

        if (Find(key, record) is { } known)
        {
            return known;
        }

        var document = SessionDocument.Of(record);
        if (document is not null && _places.IsAgain(KeyHash.Of(key)))
        {
            Remember(key, record, document);
        }

        return document;
    }

    /// <summary>What the session's last request split or wrote.</summary>
    public Split? Find(string key) => _places.Find(KeyHash.Of(key)) is { } known && string.Equals(known.Key, key, StringComparison.Ordinal) ? known : null;

    /// <summary>Remembers a document that was split or written, in place of the session's last, unless it has been changed since.</summary>
    public void Remember(string key, SessionRecord record, SessionDocument document)
    {
        if (!document.IsOf(record.Document) || record.Document.Length > MaxLength || document.ReadMetadata() is null)
        {
            return;
        }

        document.Share();
        _places.Remember(KeyHash.Of(key), new Split(key, record, document));
    }

    /// <summary>What has ended is not kept in memory by this.</summary>
    public void Forget(string key)
    {
        if (Find(key) is not null)
        {
            _places.Forget(KeyHash.Of(key));
        }
    }

    /// <summary>The document of these very bytes, not of equal ones.</summary>
    public SessionDocument? Find(string key, SessionRecord record)
    {
        if (Find(key) is not { } known || !known.Document.IsOf(record.Document))
        {
            return null;
        }

        if (!ReferenceEquals(known.Record, record))
        {
            // A touch left the bytes.
            _places.Remember(KeyHash.Of(key), new Split(key, record, known.Document));
        }

        return known.Document;
    }

    /// <param name="Key">The session's key.</param>
    /// <param name="Record">The record whose document it is.</param>
    /// <param name="Document">The document, which is shared.</param>
    public sealed record Split(string Key, SessionRecord Record, SessionDocument Document);
}
