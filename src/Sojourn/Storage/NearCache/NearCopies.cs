using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Sojourn.Diagnostics;

namespace Sojourn.Storage.NearCache;

/// <summary>A call of the store that is under way: when it began, and how much had been heard by then that concerns its key.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct StoreCall(long BeganAt, long Heard);

/// <summary>
/// The copies: bounded by number and bytes, none given out that is too old, and none kept that something heard meanwhile may have outdated. Finding takes no
/// lock. Thread-safe.
/// </summary>
internal sealed class NearCopies
{
    /// <summary>Keys that share a slot cost each other a copy now and then, and nothing else.</summary>
    private const int SlotCount = 1024;

    /// <summary>So many copies in use are passed over at a time to find one that is not.</summary>
    private const int MaxPassedOver = 32;

    /// <summary>A reading that takes longer hangs, and may go on to hang when the store answers others again.</summary>
    private static readonly TimeSpan LongestShared = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, LinkedListNode<NearCopy>> _copies = new(StringComparer.Ordinal);
    private readonly Heard[] _heard = new Heard[SlotCount];
    private readonly TimeProvider _time;
    private readonly SessionMetrics _metrics;
    private readonly long _maxAge;
    private readonly long _maxSharedAge;
    private readonly int _maxSessions;
    private readonly long _maxBytes;

    // Guards everything that changes.
    private readonly Lock _gate = new();

    /// <summary>In the order in which they come to be looked at when room is needed.</summary>
    private readonly LinkedList<NearCopy> _clock = new();

    private long _bytes;

    public NearCopies(NearCacheOptions options, TimeProvider time, SessionMetrics metrics)
    {
        (_time, _metrics, _maxSessions, _maxBytes) = (time, metrics, options.MaxSessions, options.MaxBytes);
        _maxAge = Math.Max(1, (long)(options.MaxStaleness.TotalSeconds * time.TimestampFrequency));
        _maxSharedAge = Math.Min(_maxAge, (long)(LongestShared.TotalSeconds * time.TimestampFrequency));
    }

    public int Count
    {
        get
        {
            lock (_gate) return _clock.Count;
        }
    }

    public long Bytes
    {
        get
        {
            lock (_gate) return _bytes;
        }
    }

    /// <summary>The copy of a key, if there is one that is young enough.</summary>
    public NearCopy? Find(string key) => _copies.TryGetValue(key, out var node) && Has(node.Value) ? node.Value : null;

    /// <summary>Whether a copy that was found before would be found now.</summary>
    public bool Has(NearCopy copy)
    {
        if (copy.IsDropped || !IsYoung(copy.BeganAt))
        {
            return false;
        }

        // Written only where it changes, so that readers on other processors keep what they have in their caches.
        if (!copy.IsUsed)
        {
            copy.IsUsed = true;
        }

        return true;
    }

    /// <summary>A call of the store begins.</summary>
    public StoreCall Begin(string key) => new(_time.GetTimestamp(), Volatile.Read(ref SlotOf(key).Count));

    /// <summary>Whether who asks now may share the answer of a reading that began before: not long ago, and nothing has been heard since.</summary>
    public bool MayShare(string key, StoreCall call) =>
        call.Heard == Volatile.Read(ref SlotOf(key).Count) && _time.GetTimestamp() - call.BeganAt < _maxSharedAge;

    /// <summary>A reading is done.</summary>
    public void HaveRead(string key, SessionRecord? record, StoreCall call)
    {
        var evicted = 0;
        lock (_gate)
        {
            _copies.TryGetValue(key, out var there);
            if (record is null)
            {
                Remove(there);
                Hear(key, null);
            }
            else if (IsNewest(key, record, call) && !(there?.Value.BeganAt > call.BeganAt))
            {
                evicted = Put(key, record, call, there);
            }
        }

        _metrics.NearCacheEvicted(evicted);
    }

    /// <summary>A write is done.</summary>
    /// <param name="key">The key.</param>
    /// <param name="stored">What is stored since; <see langword="null"/> where that is not known.</param>
    /// <param name="call">The write.</param>
    public void HaveWritten(string key, SessionRecord? stored, StoreCall call)
    {
        var evicted = 0;
        lock (_gate)
        {
            _copies.TryGetValue(key, out var there);
            if (stored is not null && IsNewest(key, stored, call))
            {
                evicted = Put(key, stored, call, there);
            }
            else
            {
                Remove(there);
            }

            Hear(key, null);
        }

        _metrics.NearCacheEvicted(evicted);
    }

    /// <summary>A record was changed or ended by somebody.</summary>
    /// <param name="key">The key.</param>
    /// <param name="version">What the record became; <see langword="null"/> where that is not known.</param>
    public void HaveHeard(string key, SessionVersion? version)
    {
        LinkedListNode<NearCopy>? there;
        lock (_gate)
        {
            if (_copies.TryGetValue(key, out there) && version is { } told && there.Value.Record.Version == told)
            {
                return;
            }

            Remove(there);
            Hear(key, version);
        }

        _metrics.NearCacheInvalidated(there is null ? 0 : 1);
    }

    /// <summary>Anything may have happened to any record.</summary>
    public void Clear()
    {
        int dropped;
        lock (_gate)
        {
            dropped = _clock.Count;
            foreach (var copy in _clock)
            {
                copy.Drop();
            }

            _copies.Clear();
            _clock.Clear();
            _bytes = 0;
            HearOfAll();
        }

        _metrics.NearCacheInvalidated(dropped);
    }

    /// <summary>What has expired was removed.</summary>
    public void RemoveExpired(DateTimeOffset now)
    {
        lock (_gate) HearOfAll();
        foreach (var (_, node) in _copies)
        {
            if (node.Value.Record.ExpiresAt <= now)
            {
                lock (_gate) Remove(node);
            }
        }
    }

    private bool IsYoung(long beganAt) => _time.GetTimestamp() - beganAt < _maxAge;

    private ref Heard SlotOf(string key) => ref _heard[(uint)key.GetHashCode(StringComparison.Ordinal) % SlotCount];

    /// <summary>Whether nothing has been heard since the call began, or of nothing but this very version.</summary>
    private bool IsNewest(string key, SessionRecord record, StoreCall call)
    {
        ref var heard = ref SlotOf(key);
        return heard.Count == call.Heard || (heard.Count == call.Heard + 1 && heard.Key == key && heard.Version == record.Version);
    }

    private void Hear(string key, SessionVersion? version)
    {
        ref var heard = ref SlotOf(key);
        (heard.Key, heard.Version) = (version is null ? null : key, version ?? default);
        Volatile.Write(ref heard.Count, heard.Count + 1);
    }

    private void HearOfAll()
    {
        for (var slot = 0; slot < _heard.Length; slot++)
        {
            _heard[slot].Key = null;
            Volatile.Write(ref _heard[slot].Count, _heard[slot].Count + 1);
        }
    }

    /// <returns>How many others had to go.</returns>
    private int Put(string key, SessionRecord record, StoreCall call, LinkedListNode<NearCopy>? there)
    {
        Remove(there);
        var copy = new NearCopy(key, record, call.BeganAt);
        if (copy.Bytes > _maxBytes)
        {
            return 0;
        }

        _copies[key] = _clock.AddLast(copy);
        _bytes += copy.Bytes;
        var evicted = 0;
        for (; _clock.Count > _maxSessions || _bytes > _maxBytes; evicted++)
        {
            Evict();
        }

        return evicted;
    }

    /// <summary>CLOCK: the first in line goes, unless it is young and was used since it was last looked at; then it goes to the end of the line.</summary>
    private void Evict()
    {
        var first = _clock.First!;
        for (var passedOver = 0; first.Value.IsUsed && IsYoung(first.Value.BeganAt) && passedOver < MaxPassedOver; passedOver++)
        {
            first.Value.IsUsed = false;
            _clock.RemoveFirst();
            _clock.AddLast(first);
            first = _clock.First!;
        }

        Remove(first);
    }

    private void Remove(LinkedListNode<NearCopy>? node)
    {
        if (node?.List is not null)
        {
            node.Value.Drop();
            _copies.TryRemove(node.Value.Key, out _);
            _clock.Remove(node);
            _bytes -= node.Value.Bytes;
        }
    }

    /// <summary>What was last heard of the keys of a slot.</summary>
    [StructLayout(LayoutKind.Auto)]
    private struct Heard
    {
        public long Count;
        public string? Key;
        public SessionVersion Version;
    }
}
