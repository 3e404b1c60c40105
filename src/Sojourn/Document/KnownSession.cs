namespace Sojourn.Document;

/// <summary>A session that this process has met: what it is filed under, and its document while that is remembered.</summary>
internal class KnownSession
{
    private volatile SessionDocument? _document;

    /// <summary>The key of the id, once it was computed.</summary>
    public string? Key { get; set; }

    /// <summary>Whether somebody else sees to it that there are not too many of these, nor for long.</summary>
    public virtual bool IsBounded => false;

    /// <summary>What its last request split or wrote, with the record of that; it may not be what is stored any more.</summary>
    public SessionDocument? Document
    {
        get => _document;
        set => _document = value;
    }
}
