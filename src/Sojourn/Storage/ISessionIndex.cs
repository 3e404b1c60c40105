namespace Sojourn.Storage;

/// <summary>What a store is besides, that can find records by label and walk through all of them.</summary>
/// <remarks>Records past their expiry count and are found while they are there, as in <see cref="ISessionStore.ReadAsync"/>.</remarks>
public interface ISessionIndex
{
    /// <summary>Finds the records that bear a label.</summary>
    /// <param name="label">The label, such as <c>subject:42</c>; not empty.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Keys and records, in no order. A record stored before the call and not deleted during it is among them.</returns>
    /// <exception cref="ArgumentException">The label is empty.</exception>
    ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken);

    /// <summary>Walks through all records in the order of their keys (ordinal), a page at a time.</summary>
    /// <param name="afterKey">The last key of the page before; <see langword="null"/> for the first page.</param>
    /// <param name="limit">How many at the most, 1 to 1,000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Keys and records; fewer than <paramref name="limit"/> on the last page. What is stored throughout the walk is seen exactly once.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not 1 to 1,000.</exception>
    ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken);

    /// <summary>Counts all records.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many there are.</returns>
    ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>Deletes every record that bears a label.</summary>
    /// <param name="label">The label; not empty.</param>
    /// <param name="cancellationToken">Ends the wait; what was deleted by then stays deleted.</param>
    /// <returns>How many were deleted.</returns>
    /// <exception cref="ArgumentException">The label is empty.</exception>
    ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken);
}
