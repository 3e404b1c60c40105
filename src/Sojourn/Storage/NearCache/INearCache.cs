namespace Sojourn.Storage.NearCache;

/// <summary>What a store is besides, whose readings may be copies: the way past them, for whoever needs what is stored now.</summary>
internal interface INearCache
{
    /// <summary>The copy of a key, where there is one that is young enough: no call of the store.</summary>
    NearCopy? FindCopy(string key);

    /// <summary>Whether a copy that was found before would be found now.</summary>
    bool HasCopy(NearCopy copy);

    /// <summary>Reads the store itself. What is read takes the copy's place.</summary>
    ValueTask<SessionRecord?> ReadStoredAsync(string key, CancellationToken cancellationToken);
}
