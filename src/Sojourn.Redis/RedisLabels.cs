using System.Collections.Immutable;
using System.Numerics;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// Which records bear a label: a sorted set of their keys beside them, each with the time at which it was added, by Redis's own clock: those of processes
/// differ.
/// </summary>
internal sealed class RedisLabels(RedisConnection connection, string prefix, TimeProvider time)
{
    /// <summary>An entry that is younger may belong to a record that is just being written.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMinutes(10);

    /// <summary>From here on a label is looked through for entries that point to nothing whenever their number has doubled.</summary>
    private const int Crowd = 64;

    /// <summary>
    /// Writes the entries of a record that is about to be written. A label lives to the end of the day after the last record that bears it, so that what
    /// <paramref name="current"/> has already is sent again only when the expiry moves on to another day.
    /// </summary>
    /// <returns>The labels that have to be looked through.</returns>
    public async ValueTask<ImmutableArray<string>> AddAsync(string key, SessionRecord? current, SessionRecord next, CancellationToken cancellationToken)
    {
        if (next.Labels.IsEmpty)
        {
            return [];
        }

        var now = time.GetUtcNow();
        var hasTime = current is not null && current.ExpiresAt > now && current.ExpiresAt.Date >= next.ExpiresAt.Date;
        var missing = hasTime ? next.Labels.RemoveRange(current!.Labels, StringComparer.Ordinal) : next.Labels;
        if (missing.IsEmpty)
        {
            return [];
        }

        var last = next.ExpiresAt > now ? next.ExpiresAt : now;
        var left = new DateTimeOffset(last.Date, TimeSpan.Zero).AddDays(2) - now;
        var counts = await Task.WhenAll(missing.Select(label => connection.WriteAsync(
            Scripts.AddLabel, KeyOf(label), [key, (long)left.TotalMilliseconds], cancellationToken).AsTask())).ConfigureAwait(false);
        return [.. missing.Where((_, i) => (long)counts[i] is >= Crowd and var count && BitOperations.IsPow2(count))];
    }

    public async ValueTask<SortedSetEntry[]> ReadAsync(string label, CancellationToken cancellationToken)
    {
        var database = await connection.DatabaseAsync(cancellationToken).ConfigureAwait(false);
        return await database.SortedSetRangeByRankWithScoresAsync(
            KeyOf(label), flags: CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes an entry that points to nothing, unless it may belong to a record that is just being written.</summary>
    public async ValueTask RepairAsync(string label, SortedSetEntry entry, CancellationToken cancellationToken)
    {
        var settled = time.GetUtcNow() - Settled;
        if (entry.Score < settled.ToUnixTimeMilliseconds())
        {
            await RemoveAsync(entry.Element!, Before([label], settled), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Labels, and the time that it is for each: asked before a record is written without them, so that what another process adds after that write is known to
    /// be newer.
    /// </summary>
    public async ValueTask<IReadOnlyList<(string Label, long AddedBefore)>> TimesAsync(ImmutableArray<string> labels, CancellationToken cancellationToken) =>
        labels.IsEmpty ? [] : await Task.WhenAll(labels.Select(async label =>
            (label, (long)await connection.WriteAsync(Scripts.LabelTime, KeyOf(label), [], cancellationToken).ConfigureAwait(false)))).ConfigureAwait(false);

    public static IEnumerable<(string Label, long AddedBefore)> Before(ImmutableArray<string> labels, DateTimeOffset time) =>
        labels.Select(label => (label, time.ToUnixTimeMilliseconds()));

    /// <summary>Removes a record's entries, but for those that were added later.</summary>
    public async ValueTask RemoveAsync(string key, IEnumerable<(string Label, long AddedBefore)> entries, CancellationToken cancellationToken) =>
        await Task.WhenAll(entries.Select(entry => connection.WriteAsync(
            Scripts.RemoveLabel, KeyOf(entry.Label), [key, entry.AddedBefore], cancellationToken).AsTask())).ConfigureAwait(false);

    private RedisKey KeyOf(string label) => prefix + "label:" + label;
}
