namespace Sojourn.Sqlite;

/// <summary>What an acknowledged change survives.</summary>
public enum SqliteDurability
{
    /// <summary>
    /// A crash of the process, of the operating system and a loss of power: every commit waits for the disk. Commits that arrive together share one wait.
    /// </summary>
    Full,

    /// <summary>
    /// A crash of the process. A crash of the operating system or a loss of power may undo the changes since the last checkpoint, never
    /// part of one, and never damages the file. Several times as fast as <see cref="Full"/> where the disk is slow.
    /// </summary>
    Normal,
}
