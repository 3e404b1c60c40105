namespace Sojourn.Document;

/// <summary>A session that this process has met: what it is filed under, and its document while <see cref="SplitDocuments"/> remembers it.</summary>
internal class KnownSession
{
    private volatile SessionDocument? _document;

    /// <summary>The key of the id, once it was computed.</summary>
    public string? Key { get; set; }

    /// <summary>What its last request split or wrote, with the record of that; it may not be what is stored any more.</summary>
    public SessionDocument? Document
    {
        get => _document;
        set => _document = value;
    }
}
