using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// Remembers how the documents of busy sessions are split, so that one that comes again as it was is not split again: to compare its bytes costs less.
/// Bounded. Thread-safe.
/// </summary>
/// <param name="isStoreInMemory">
/// Whether a store in memory has the bytes: they are not kept by this, then, and who is <see cref="KnownSession.IsBounded"/> needs no place for its document.
/// </param>
internal sealed class SplitDocuments(bool isStoreInMemory = false)
{
    /// <summary>In bytes; a longer document is not kept from being collected by this.</summary>
    private const int MaxLength = 8 * 1024;
    private readonly SetAssociativeCache<KnownSession> _places = new(4096);

    /// <summary>
    /// Splits the record's document for a request of its session, who may have to share it; not again where that is busy and has not changed.
    /// <see langword="null"/> as <see cref="SessionDocument.Of"/>.
    /// </summary>
    /// <param name="record">The record.</param>
    /// <param name="key">What it is filed under.</param>
    /// <param name="known">The session, where whoever asks knows it.</param>
    public SessionDocument? Of(SessionRecord record, string key, KnownSession? known = null)
    {
        if ((IfOf(record, known?.Document) ?? Find(key, record)) is { } remembered)
        {
            return remembered;
        }

        var document = SessionDocument.Of(record);
        if (document is not null && (NeedsNoPlace(known) || _places.IsAgain(KeyHash.Of(key))))
        {
            Remember(known ?? new KnownSession { Key = key }, record, document);
        }

        return document;
    }

    /// <summary>What the session's last request split or wrote.</summary>
    public SessionDocument? Find(string key) => FindKnown(key)?.Document;

    /// <summary>The same for whoever knows the session, who is asked first from then on.</summary>
    public SessionDocument? Find(KnownSession session)
    {
        if (session.Document is { } own)
        {
            return own;
        }

        if (FindKnown(session.Key!) is not { Document: { } document } other || ReferenceEquals(other, session))
        {
            return null;
        }

        TakePlace(session);
        return session.Document = document;
    }

    /// <summary>The document of the record's bytes, or of equal ones.</summary>
    public SessionDocument? Find(string key, SessionRecord record) => IfOf(record, Find(key));

    /// <summary>Remembers a document that was split or written, in place of the session's last, unless it has been changed since.</summary>
    public void Remember(KnownSession session, SessionRecord record, SessionDocument document)
    {
        if (!document.IsOf(record.Document) || record.Document.Length > MaxLength || document.ReadMetadata() is null)
        {
            return;
        }

        document.Record = record;
        document.Share();
        if (session.Document is null)
        {
            TakePlace(session);
        }

        session.Document = document;
    }

    /// <summary>What has ended is not kept in memory by this.</summary>
    public void Forget(string key)
    {
        if (FindKnown(key) is { } session)
        {
            _places.Forget(KeyHash.Of(key));
            session.Document = null;
        }
    }

    private KnownSession? FindKnown(string key) =>
        _places.Find(KeyHash.Of(key)) is { } session && string.Equals(session.Key, key, StringComparison.Ordinal) ? session : null;

    private static SessionDocument? IfOf(SessionRecord record, SessionDocument? document)
    {
        if (document?.IsOf(record.Document) != true)
        {
            return null;
        }

        if (record.IsHeld)
        {
            // A touch left the bytes.
            document.Record = record;
        }

        return document;
    }

    private bool NeedsNoPlace(KnownSession? session) => isStoreInMemory && session is { IsBounded: true };

    /// <summary>Whoever has no place and needs one keeps no document.</summary>
    private void TakePlace(KnownSession session)
    {
        var before = _places.Remember(KeyHash.Of(session.Key!), session);
        if (before is not null && !ReferenceEquals(before, session) && !NeedsNoPlace(before))
        {
            before.Document = null;
        }
    }
}
