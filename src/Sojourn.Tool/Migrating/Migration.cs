using Sojourn.Storage;
using Sojourn.Tool.Stores;

namespace Sojourn.Tool.Migrating;

/// <summary>
/// Copies sessions from one store to another. The old store is left as it is; what is at the new one stays; what is destroyed meanwhile does not come back.
/// </summary>
/// <param name="from">The old store.</param>
/// <param name="to">The new store; null in a dry run whose new store has no tables yet.</param>
/// <param name="keyOf">The key that the new store files a record under, by that of the old one.</param>
/// <param name="isRefresh">Whether older copies at the new store are replaced: for one that no application uses yet.</param>
/// <param name="isDryRun">Whether it only counts.</param>
/// <param name="time">What expiries are judged by.</param>
internal sealed class Migration(OpenStore from, ISessionStore? to, Func<string, string> keyOf, bool isRefresh, bool isDryRun, TimeProvider time)
{
    private const int PageSize = 500;
    private const int AtOnce = 16;
    private const int MaxAttempts = 10;

    /// <summary>npm stores keep an expiry in whole seconds, some of them rounded.</summary>
    private static readonly TimeSpan Rounding = TimeSpan.FromSeconds(2);

    /// <summary>Copies what comes after a place; a page at a time, whose end is a place to go on from.</summary>
    /// <param name="checkpoint">Where to go on, and what was counted so far.</param>
    /// <param name="save">Told of each page that is through.</param>
    /// <param name="advance">Called for each record.</param>
    /// <param name="fail">Told of a record that could not be copied.</param>
    /// <param name="cancellationToken">Ends it at the next record.</param>
    public async Task<MigrationCounts> RunAsync(
        Checkpoint checkpoint, Func<Checkpoint, Task> save, Action advance, Action<string, Exception> fail, CancellationToken cancellationToken)
    {
        var counts = checkpoint.Counts;
        IReadOnlyList<KeyValuePair<string, SessionRecord>> page;
        var after = checkpoint.After;
        do
        {
            page = await from.Sessions.Finder.PageAsync(after, PageSize, cancellationToken);
            var failed = 0;
            await Parallel.ForEachAsync(
                page, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (each, cancellation) =>
                {
                    try
                    {
                        counts.Add(await CopyAsync(each.Key, each.Value, cancellation));
                    }
                    catch (Exception e) when (e is not OperationCanceledException and not SessionSchemaException)
                    {
                        // One bad record does not hold up the others; a store that is away does.
                        counts.Add(MigrationOutcome.Failed);
                        fail(FoundSession.Fingerprint(each.Key), e);
                        if (Interlocked.Increment(ref failed) > page.Count / 2 && failed >= Math.Min(page.Count, 2))
                        {
                            throw;
                        }
                    }

                    advance();
                });
            if (page.Count > 0)
            {
                after = page[^1].Key;
                await save(Checkpoint.At(after, counts));
            }
        }
        while (page.Count == PageSize);

        return counts;
    }

    private async Task<MigrationOutcome> CopyAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        var toKey = keyOf(key);
        ReadOnlyMemory<byte>? mine = null;
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (record.ExpiresAt <= time.GetUtcNow())
            {
                return MigrationOutcome.Expired;
            }

            if (MigratingStore.IsTombstone(record))
            {
                return MigrationOutcome.Ended;
            }

            if (ToNext(key, record) is not { } next)
            {
                return MigrationOutcome.Unreadable;
            }

            if (isDryRun)
            {
                var there = to is null ? null : await to.ReadAsync(toKey, cancellationToken);
                return there is null ? MigrationOutcome.Copied : Stays(there, next, null) ? MigrationOutcome.Kept : MigrationOutcome.Replaced;
            }

            if (await WriteAsync(toKey, next, mine, cancellationToken) is not { } outcome)
            {
                continue;
            }

            if (outcome == MigrationOutcome.Kept)
            {
                return mine is null ? outcome : MigrationOutcome.Copied;
            }

            // Whoever destroys a session takes it out of the old store first: so either they meet the copy, or it is found out here.
            mine = next.Document;
            switch (await from.Store.ReadAsync(key, cancellationToken))
            {
                case null:
                    await TakeBackAsync(toKey, next, cancellationToken);
                    return MigrationOutcome.Ended;
                case { } fresh when fresh.Version == record.Version:
                    return outcome;
                case { } fresh:
                    record = fresh;
                    break;
            }
        }

        throw new InvalidOperationException("The session changed each time it was copied.");
    }

    /// <summary>Null when somebody else was faster: to be tried again.</summary>
    private async Task<MigrationOutcome?> WriteAsync(string toKey, SessionRecord next, ReadOnlyMemory<byte>? mine, CancellationToken cancellationToken)
    {
        if (await to!.CreateAsync(toKey, next, cancellationToken))
        {
            return MigrationOutcome.Copied;
        }

        if (await to.ReadAsync(toKey, cancellationToken) is not { } there)
        {
            return null;
        }

        if (Stays(there, next, mine))
        {
            return MigrationOutcome.Kept;
        }

        var replaced = await to.ReplaceAsync(toKey, there, next, cancellationToken);
        return replaced.Outcome == WriteOutcome.Done ? mine is null ? MigrationOutcome.Replaced : MigrationOutcome.Copied : null;
    }

    private async Task TakeBackAsync(string toKey, SessionRecord next, CancellationToken cancellationToken)
    {
        if (await to!.ReadAsync(toKey, cancellationToken) is { } there && there.Document.Span.SequenceEqual(next.Document.Span))
        {
            await to.DeleteAsync(toKey, there, cancellationToken);
        }
    }

    /// <summary>
    /// Whether what is at the new store stays: whatever this run did not write; in a refresh, what has been used later, since each use moves the expiry on.
    /// What was ended there stays so.
    /// </summary>
    private bool Stays(SessionRecord there, SessionRecord next, ReadOnlyMemory<byte>? mine)
    {
        if (MigratingStore.IsTombstone(there))
        {
            return true;
        }

        if (mine is { } copy && there.Document.Span.SequenceEqual(copy.Span))
        {
            return false;
        }

        var isSame = there.Document.Span.SequenceEqual(next.Document.Span) && (there.ExpiresAt - next.ExpiresAt).Duration() <= Rounding;
        return !isRefresh || isSame || there.ExpiresAt > next.ExpiresAt + Rounding;
    }

    /// <summary>Records of npm stores have no labels: they are made of what is in the document. Null: it is no session.</summary>
    private SessionRecord? ToNext(string key, SessionRecord record) =>
        !from.Description.Layout.IsKeyedById ? record
        : from.Sessions.Finder.LabelsOf(key, record) is { } labels ? new SessionRecord(record.Document, record.ExpiresAt, labels)
        : null;
}
