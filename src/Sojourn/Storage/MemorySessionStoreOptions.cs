namespace Sojourn.Storage;

/// <summary>What can be set about <see cref="MemorySessionStore"/>.</summary>
public sealed class MemorySessionStoreOptions
{
    /// <summary>
    /// How many sessions are held at the most, expired ones that are yet to be pruned included. 1 or more; 1,000,000 by default.
    /// A session costs its document and about 240 bytes. Past the limit a create throws <see cref="SessionStoreFullException"/>.
    /// </summary>
    public int MaxSessions { get; set; } = 1_000_000;
}
