using System.Collections.Immutable;

namespace Sojourn.Storage;

/// <summary>What a store keeps under a key: the document's bytes, an expiry, labels to be found by, and a version. Immutable.</summary>
public sealed class SessionRecord
{
    /// <summary>Bits that no time has, kept beside the time, since a store in memory holds millions of these.</summary>
    private const long WellFormed = 1L << 62;
    private const long Held = long.MinValue;
    private long _expiresAtTicks;
    private long _quietUntilTicks;
    private readonly string[]? _labels;

    /// <summary>Makes a record.</summary>
    /// <param name="document">The document: one UTF-8 JSON object. Kept as given: it must not be changed afterwards.</param>
    /// <param name="expiresAt">When the session ends unless it is used before.</param>
    /// <param name="labels">What an index finds the record by, such as <c>subject:42</c>; none by default.</param>
    /// <param name="version">The store's own token of this state; <see langword="default"/> in a record that is yet to be stored.</param>
    public SessionRecord(ReadOnlyMemory<byte> document, DateTimeOffset expiresAt, ImmutableArray<string> labels = default, SessionVersion version = default)
        : this(document, expiresAt, labels, version, marks: 0)
    {
    }

    private SessionRecord(ReadOnlyMemory<byte> document, DateTimeOffset expiresAt, ImmutableArray<string> labels, SessionVersion version, long marks)
    {
        Document = document;
        _expiresAtTicks = expiresAt.UtcTicks | marks;
        _labels = labels.IsDefaultOrEmpty ? null : System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsArray(labels);
        Version = version;
    }

    /// <summary>The document: one UTF-8 JSON object.</summary>
    public ReadOnlyMemory<byte> Document { get; }

    /// <summary>When the session ends unless it is used before, in UTC.</summary>
    public DateTimeOffset ExpiresAt => new(Volatile.Read(ref _expiresAtTicks) & ~(WellFormed | Held), TimeSpan.Zero);

    /// <summary>What an index finds the record by; empty when there is nothing.</summary>
    public ImmutableArray<string> Labels => _labels is null ? [] : System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(_labels);

    /// <summary>The store's own token of this state of the record.</summary>
    public SessionVersion Version { get; private set; }

    /// <summary>Whether this process has read or written these very bytes before, so that they need no check.</summary>
    internal bool IsWellFormed => (_expiresAtTicks & WellFormed) != 0;

    /// <summary>Whether a store in memory has this very record: whoever was handed it out need not ask for it again.</summary>
    internal bool IsHeld => (Volatile.Read(ref _expiresAtTicks) & Held) != 0;

    /// <summary>
    /// Whether it is known to be alive, and to need no touch yet. Most requests meet it so, and look no further: in a large store the rest of a session's
    /// memory is nowhere near the processor.
    /// </summary>
    internal bool IsQuietAt(DateTimeOffset now) => now.UtcTicks < Volatile.Read(ref _quietUntilTicks);

    /// <summary>To be called by whoever has worked it out (<see cref="Deadlines.QuietUntil"/>).</summary>
    internal void StayQuietUntil(DateTimeOffset time) => Volatile.Write(ref _quietUntilTicks, time.UtcTicks);

    /// <summary>The same record under another version: what a store hands back after it has written.</summary>
    /// <param name="version">The version the store gave it.</param>
    /// <returns>A record that shares this one's document and labels.</returns>
    public SessionRecord WithVersion(SessionVersion version) => With(ExpiresAt, version, _expiresAtTicks & WellFormed);

    /// <summary>The same record with another expiry: what a store has after a touch.</summary>
    /// <param name="expiresAt">The new expiry.</param>
    /// <returns>A record that shares this one's document, labels and version.</returns>
    public SessionRecord WithExpiry(DateTimeOffset expiresAt) => With(expiresAt, Version, _expiresAtTicks & WellFormed);

    /// <summary>A record of a document that this process wrote itself.</summary>
    internal static SessionRecord OfWritten(byte[] document, DateTimeOffset expiresAt, ImmutableArray<string> labels = default) =>
        new(document, expiresAt, labels, default, WellFormed);

    internal void MarkWellFormed()
    {
        if (!IsWellFormed)
        {
            Interlocked.Or(ref _expiresAtTicks, WellFormed);
        }
    }

    /// <summary>The same record as a store in memory has it.</summary>
    internal SessionRecord HeldAs(DateTimeOffset expiresAt, SessionVersion version) => With(expiresAt, version, (_expiresAtTicks & WellFormed) | Held);

    /// <summary>Becomes a record as a store in memory has it: for one that nobody else has seen.</summary>
    internal void HoldAs(SessionVersion version) => (Version, _expiresAtTicks) = (version, _expiresAtTicks | Held);

    /// <summary>Another one takes its place, or none: to be called before that can be seen.</summary>
    internal void MarkGone() => Interlocked.And(ref _expiresAtTicks, ~Held);

    private SessionRecord With(DateTimeOffset expiresAt, SessionVersion version, long marks) => new(Document, expiresAt, Labels, version, marks);
}
