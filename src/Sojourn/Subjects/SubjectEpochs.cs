using System.Collections.Immutable;
using Sojourn.Storage;

namespace Sojourn.Subjects;

/// <summary>
/// Keeps sign-ins and renewals from slipping past the end of all that bears a label. An end moves the label's epoch before it looks for sessions, and says when
/// it is through. Whatever creates a record waits for ends that are under way, reads the epochs before and after, and undoes itself if one moved: so the search
/// of an end finds every session that began before it, and none begins beside it. Thread-safe.
/// </summary>
internal sealed class SubjectEpochs(TimedStore store, TimeSpan patience, TimeProvider time)
{
    /// <summary>Longer than any sign-in or renewal runs.</summary>
    private static readonly TimeSpan KeptFor = TimeSpan.FromHours(1);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly ISubjectRegistry? _registry = store.As<ISubjectRegistry>();

    /// <summary>The entries of labels, once no end is under way; of a store that keeps none, none.</summary>
    public async ValueTask<SubjectEntry[]> ReadSettledAsync(ImmutableArray<string> labels, CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            var entries = await ReadAsync(labels, cancellationToken).ConfigureAwait(false);
            if (!Array.Exists(entries, static entry => entry.Ends.Length > 0))
            {
                return entries;
            }

            if (waited >= patience)
            {
                // Whoever was about to end them did not come to an end: by a crash, most likely.
                for (var i = 0; i < entries.Length; i++)
                {
                    var lost = entries[i].Ends;
                    await ChangeAsync(
                        labels[i], entry => entry with { Ends = [.. entry.Ends.Except(lost, StringComparer.Ordinal)] },
                        cancellationToken).ConfigureAwait(false);
                }
            }

            // By the real clock: a clock that an application's test holds still must not hold up a sign-in.
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask<SubjectEntry[]> ReadAsync(ImmutableArray<string> labels, CancellationToken cancellationToken)
    {
        if (_registry is null || labels.IsEmpty)
        {
            return [];
        }

        var entries = await Task.WhenAll(labels.Select(label => ReadAsync(label, cancellationToken).AsTask())).ConfigureAwait(false);
        return Array.ConvertAll(entries, SubjectEntry.Parse);
    }

    /// <summary>Begins the end of all that bears a label: moves its epoch.</summary>
    /// <returns>What to finish it by.</returns>
    public async ValueTask<string> BeginEndAsync(string label, CancellationToken cancellationToken)
    {
        var end = SessionId.NewHandle();
        await ChangeAsync(
            label, entry => entry with { Epoch = end, MovedAt = time.GetUtcNow(), Ends = [.. entry.Ends, end] }, cancellationToken).ConfigureAwait(false);
        return end;
    }

    /// <summary>All that bore the label has ended. Where this cannot be noted, others wait in vain for a while, and go on then.</summary>
    public async ValueTask FinishEndAsync(string label, string end)
    {
        try
        {
            await ChangeAsync(label, entry => entry with { Ends = [.. entry.Ends.Where(other => other != end)] }, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SessionStoreException)
        {
        }
    }

    /// <summary>Changes the entry of a label by compare-and-swap.</summary>
    public async ValueTask ChangeAsync(string label, Func<SubjectEntry, SubjectEntry> change, CancellationToken cancellationToken)
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
        while (!await ReplaceAsync(label, current, change(SubjectEntry.Parse(current)), cancellationToken).ConfigureAwait(false));
    }

    public ValueTask<byte[]?> ReadAsync(string label, CancellationToken cancellationToken) =>
        store.CallAsync("registry read", cancellation => _registry!.ReadSubjectAsync(label, cancellation), cancellationToken);

    public ValueTask<bool> ReplaceAsync(string label, byte[]? current, SubjectEntry next, CancellationToken cancellationToken) =>
        store.CallAsync(
            "registry write", cancellation => _registry!.ReplaceSubjectAsync(label, current, next.ToUtf8(), time.GetUtcNow() + KeptFor, cancellation),
            cancellationToken);

    /// <summary>Takes a name that has not been taken, or was given back.</summary>
    public async ValueTask<bool> TakeOnceAsync(string name, CancellationToken cancellationToken)
    {
        if (_registry is null)
        {
            throw new NotSupportedException(
                "The sessions' store keeps no subjects' entries (ISubjectRegistry), so nothing is known to have been used before. docs/stores.md tells which "
                + "do.");
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
            await ChangeAsync(name, static _ => new SubjectEntry(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (SessionStoreException)
        {
            // Nothing more can be done: the name stays taken, and what failed before is reported.
        }
    }
}
