using Sojourn.Storage;

namespace Sojourn.Document;

/// <summary>
/// Remembers how documents are split that are read again and again from a store in memory or from a near cache, or were written to one, so that a busy session's is not split at every
/// request. Bounded, for all of the process. Thread-safe.
/// </summary>
internal static class SplitDocuments
{
    private const int PlaceCount = 4096;

    /// <summary>In bytes; a longer document is not kept from being collected by this.</summary>
    private const int MaxLength = 8 * 1024;
    private static readonly SessionDocument?[] Places = new SessionDocument?[PlaceCount];

    /// <summary>Versions that were read once, and complements of those that were read twice: only what is read a third time before it changes is worth remembering.</summary>
    private static readonly long[] Seen = new long[PlaceCount];

    /// <summary>The document of these very bytes, not of equal ones; to be copied.</summary>
    public static SessionDocument? Find(SessionRecord record)
    {
        var document = Volatile.Read(ref Places[IndexOf(record.Version)]);
        return document is not null && document.IsOf(record.Document) ? document : null;
    }

    /// <returns>Whether it is remembered, so that it must not be changed any more.</returns>
    public static bool Note(SessionRecord record, SessionDocument document)
    {
        if (record.Document.Length > MaxLength)
        {
            return false;
        }

        var (index, version) = (IndexOf(record.Version), record.Version.Number);
        if (Seen[index] != ~version)
        {
            Seen[index] = Seen[index] == version ? ~version : version;
            return false;
        }

        Volatile.Write(ref Places[index], document);
        return true;
    }

    /// <summary>Remembers a document that was written, unless it has been changed since, in place of the one before it.</summary>
    /// <returns>The document to go on with.</returns>
    public static SessionDocument Replace(SessionRecord? before, SessionRecord record, SessionDocument document)
    {
        if (!document.IsKept || !document.IsOf(record.Document) || record.Document.Length > MaxLength || document.ReadMetadata() is null)
        {
            return document;
        }

        // What nobody will ask for any more is not kept: all that stays costs the garbage collector.
        if (before is not null && Places[IndexOf(before.Version)] is { } old && old.IsOf(before.Document))
        {
            Volatile.Write(ref Places[IndexOf(before.Version)], null);
        }

        Volatile.Write(ref Places[IndexOf(record.Version)], document);
        return document.Copy();
    }

    private static int IndexOf(SessionVersion version) => (int)((ulong)version.Number % PlaceCount);
}
