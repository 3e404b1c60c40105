namespace Sojourn.Storage;

/// <summary>The entries of subjects in the memory of one process. Thread-safe.</summary>
internal sealed class SubjectEntries
{
    private readonly Lock _gate = new();
    private readonly PartedDictionary<(byte[] Entry, DateTimeOffset KeepUntil)> _entries = new();

    public byte[]? Read(string subject)
    {
        lock (_gate) return _entries.TryGetValue(subject, out var stored) ? stored.Entry : null;
    }

    public bool Replace(string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil)
    {
        lock (_gate)
        {
            var isThere = _entries.TryGetValue(subject, out var stored);
            if (isThere != (current is not null) || (isThere && !stored.Entry.AsSpan().SequenceEqual(current))) return false;
            var entry = ((byte[])next.Clone(), keepUntil);
            if (isThere) _entries.GetRefOrNull(subject) = entry;
            else _entries.Add(subject, entry);
            return true;
        }
    }

    public void Prune(DateTimeOffset now)
    {
        lock (_gate)
        {
            foreach (var (subject, stored) in _entries)
            {
                if (stored.KeepUntil <= now) _entries.Remove(subject);
            }
        }
    }
}
