namespace Sojourn.Testing;

/// <summary>What a store is asked to do: the verbs of its interfaces; several are joined by <c>|</c>.</summary>
[Flags]
public enum StoreVerb
{
    /// <summary>No verb.</summary>
    None = 0,

    /// <summary>Reads a record.</summary>
    Read = 1,

    /// <summary>Creates a record.</summary>
    Create = 2,

    /// <summary>Replaces a record.</summary>
    Replace = 4,

    /// <summary>Moves a record's expiry.</summary>
    Touch = 8,

    /// <summary>Deletes a record.</summary>
    Delete = 16,

    /// <summary>Deletes expired records.</summary>
    Prune = 32,

    /// <summary>Finds records by label.</summary>
    Find = 64,

    /// <summary>Walks through all records.</summary>
    Page = 128,

    /// <summary>Counts all records.</summary>
    Count = 256,

    /// <summary>Deletes records by label.</summary>
    DeleteByLabel = 512,

    /// <summary>Every verb that changes something.</summary>
    Write = Create | Replace | Touch | Delete | Prune | DeleteByLabel,

    /// <summary>Every verb.</summary>
    All = Read | Write | Find | Page | Count,
}
