namespace Sojourn.Storage;

/// <summary>
/// What a store is besides, that can keep other processes off a session for a while: one owner at a time holds the lease of a key. It guards no write,
/// the version does that; it spares writers who would otherwise meet.
/// </summary>
/// <remarks>Time is the database's: clocks that differ between processes do not shorten a lease.</remarks>
public interface ISessionLease
{
    /// <summary>Takes the lease of a key, if nobody holds it, or renews it for its owner. Does not wait.</summary>
    /// <param name="key">The key, whether or not a record is filed under it.</param>
    /// <param name="owner">A random name of the holder, up to 100 characters.</param>
    /// <param name="duration">How long it is held unless renewed or released, from now; 1 millisecond or more.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns><see langword="false"/> when another owner holds it.</returns>
    ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives the lease back, if the owner still holds it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="owner">The holder's name, as given to <see cref="TryAcquireAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken);
}
