namespace Sojourn.Storage.NearCache;

/// <summary>What a store is besides, whose readings may be copies: the way past them, for whoever needs what is stored now.</summary>
internal interface INearCache
{
    /// <summary>Reads the store itself. What is read takes the copy's place.</summary>
    ValueTask<SessionRecord?> ReadStoredAsync(string key, CancellationToken cancellationToken);
}
