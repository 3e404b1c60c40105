namespace Sojourn.Storage;

/// <summary>What a store is besides, whose database does not drop expired records by itself. The engine calls it off the request path.</summary>
public interface IExpiringStore
{
    /// <summary>
    /// Deletes records whose expiry has passed, in small batches, so that it never stands in the way of requests.
    /// A record that is touched or replaced meanwhile stays.
    /// </summary>
    /// <param name="now">The time to judge by.</param>
    /// <param name="cancellationToken">Ends the work between two batches.</param>
    /// <returns>How many were deleted.</returns>
    ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken);
}
