namespace Sojourn.Storage;

/// <summary>Where a store in memory has the record of one key. Read by anyone; written by the store alone, under its lock.</summary>
internal sealed class RecordPlace
{
    private SessionRecord? _record;

    /// <summary>What is stored; <see langword="null"/> once nothing is.</summary>
    public SessionRecord? Record
    {
        get => Volatile.Read(ref _record);
        set => Volatile.Write(ref _record, value);
    }
}
