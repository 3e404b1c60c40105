namespace Sojourn.Document;

/// <summary>What a request did to the session and has not saved, in order. One change is in one such list.</summary>
internal struct PendingChanges
{
    public Change? First { get; private set; }

    public Change? Last { get; private set; }

    public readonly bool IsEmpty => First is null;

    public readonly bool NeedNewId
    {
        get
        {
            for (var change = First; change is not null; change = change.Next)
            {
                if (change.NeedsNewId)
                {
                    return true;
                }
            }

            return false;
        }
    }

    public void Add(Change change)
    {
        if (Last is null)
        {
            First = change;
        }
        else
        {
            Last.Next = change;
        }

        Last = change;
    }

    public readonly void Apply(SessionDocument document)
    {
        for (var change = First; change is not null; change = change.Next)
        {
            change.Apply(document);
        }
    }

    /// <summary>Removes the changes up to the one that was the last, if there was one.</summary>
    public void RemoveThrough(Change? last)
    {
        if (last is not null)
        {
            First = last.Next;
            Last = First is null ? null : Last;
        }
    }
}
