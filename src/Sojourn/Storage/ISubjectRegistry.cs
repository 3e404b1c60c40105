namespace Sojourn.Storage;

/// <summary>
/// What a store is besides, that keeps one small entry for each subject beside the records: the subject's epoch and its reserved places, which the
/// engine writes and reads.
/// </summary>
/// <remarks>An entry is replaced only if it is unchanged, so that of parallel sign-ins each sees what the others did.</remarks>
public interface ISubjectRegistry
{
    /// <summary>Reads the entry of a subject, also one that is past its time, while it is there.</summary>
    /// <param name="subject">The subject: any text that is not empty, of up to 1,000 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The entry as it was given, which must not be changed, or <see langword="null"/> when there is none.</returns>
    ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken);

    /// <summary>Replaces the entry of a subject, if it still is what was read.</summary>
    /// <param name="subject">The subject: any text that is not empty, of up to 1,000 characters.</param>
    /// <param name="current">The entry as it was read; <see langword="null"/>: there must be none.</param>
    /// <param name="next">The new entry, up to 64 KiB.</param>
    /// <param name="keepUntil">Until when the entry is needed; the store may remove it afterwards, and not before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns><see langword="false"/> when the entry is another than <paramref name="current"/>; nothing is changed then.</returns>
    ValueTask<bool> ReplaceSubjectAsync(string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken);
}
