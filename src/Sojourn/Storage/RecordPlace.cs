namespace Sojourn.Storage;

/// <summary>Where a store in memory has the record of one key, to be reached from the record itself. Used under the store's lock.</summary>
internal sealed class RecordPlace
{
    private SessionRecord? _record;

    /// <summary>What is stored; <see langword="null"/> once nothing is.</summary>
    public SessionRecord? Record
    {
        get => _record;
        set
        {
            _record?.MarkGone();
            _record = value;
        }
    }
}
