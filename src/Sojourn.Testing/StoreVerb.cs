namespace Sojourn.Testing;

/// <summary>The verbs of a store.</summary>
public enum StoreVerb
{
    /// <summary>Reads a record.</summary>
    Read,

    /// <summary>Creates a record.</summary>
    Create,

    /// <summary>Replaces a record.</summary>
    Replace,

    /// <summary>Moves a record's expiry.</summary>
    Touch,

    /// <summary>Deletes a record.</summary>
    Delete,
}
