using System.Collections.Immutable;
using Sojourn.Storage;

namespace Sojourn.Subjects;

/// <summary>
/// Tells a sign-in or a renewal that everything which bears one of its labels was ended while it ran: the epoch is moved before sessions are looked for, and
/// read before a record is created and after it. Thread-safe.
/// </summary>
internal sealed class SubjectEpochs(TimedStore store, TimeProvider time)
{
    /// <summary>Longer than any sign-in or renewal runs.</summary>
    private static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private readonly ISubjectRegistry? _registry = store.As<ISubjectRegistry>();

    /// <summary>The entries of labels; of a store that keeps none, none.</summary>
    public async ValueTask<SubjectEntry[]> ReadAsync(ImmutableArray<string> labels, CancellationToken cancellationToken)
    {
        if (_registry is null || labels.IsEmpty)
        {
            return [];
        }

        var entries = await Task.WhenAll(labels.Select(label => ReadAsync(label, cancellationToken).AsTask())).ConfigureAwait(false);
        return Array.ConvertAll(entries, SubjectEntry.Parse);
    }

    /// <summary>Moves the epoch of a label.</summary>
    public async ValueTask MoveAsync(string label, CancellationToken cancellationToken)
    {
        byte[]? current;
        if (_registry is null)
        {
            return;
        }

        do
        {
            current = await ReadAsync(label, cancellationToken).ConfigureAwait(false);
        }
        while (!await ReplaceAsync(label, current, SubjectEntry.Parse(current) with { Epoch = SessionId.NewHandle(), MovedAt = time.GetUtcNow() }, cancellationToken).ConfigureAwait(false));
    }

    public ValueTask<byte[]?> ReadAsync(string label, CancellationToken cancellationToken) =>
        store.CallAsync("registry read", cancellation => _registry!.ReadSubjectAsync(label, cancellation), cancellationToken);

    public ValueTask<bool> ReplaceAsync(string label, byte[]? current, SubjectEntry next, CancellationToken cancellationToken) =>
        store.CallAsync("registry write", cancellation => _registry!.ReplaceSubjectAsync(label, current, next.ToUtf8(), time.GetUtcNow() + KeptFor, cancellation), cancellationToken);

    /// <summary>Takes a name that has not been taken, or was given back.</summary>
    public async ValueTask<bool> TakeOnceAsync(string name, CancellationToken cancellationToken)
    {
        if (_registry is null)
        {
            throw new NotSupportedException("The sessions' store keeps no subjects' entries (ISubjectRegistry), so nothing is known to have been used before. docs/stores.md tells which do.");
        }

        // An entry that is past its time may still be there.
        var current = await ReadAsync(name, cancellationToken).ConfigureAwait(false);
        return !(SubjectEntry.Parse(current).MovedAt > time.GetUtcNow() - KeptFor)
            && await ReplaceAsync(name, current, new SubjectEntry { MovedAt = time.GetUtcNow() }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives back a name that was taken.</summary>
    public async ValueTask GiveBackAsync(string name)
    {
        try
        {
            var current = await ReadAsync(name, CancellationToken.None).ConfigureAwait(false);
            await ReplaceAsync(name, current, new SubjectEntry(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (SessionStoreException)
        {
            // Nothing more can be done: the name stays taken, and what failed before is reported.
        }
    }
}
