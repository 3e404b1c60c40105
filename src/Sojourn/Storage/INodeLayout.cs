namespace Sojourn.Storage;

/// <summary>
/// What a store is besides, whose records a Node application reads and writes too, in the layout of an npm store: records are filed under the
/// id itself, a session lives as long as its cookie, and the version of a record is its content.
/// </summary>
/// <remarks>
/// "Never lost, never revived" holds among Sojourn's writers; what a Node writer does beside them, it does.
/// </remarks>
public interface INodeLayout
{
    /// <summary>How long a session lives without use whose cookie has no lifetime of its own: the npm store's <c>ttl</c>. 1 second or more.</summary>
    TimeSpan TimeToLive { get; }

    /// <summary>Whether requests that change nothing move the expiry; <see langword="false"/> is the npm store's <c>disableTouch</c>.</summary>
    bool CanTouch { get; }

    /// <summary>The version that a record has once it is stored.</summary>
    /// <param name="record">The record, as it was given to the store.</param>
    /// <returns>The version.</returns>
    SessionVersion VersionOf(SessionRecord record);
}
