using MySqlConnector;

namespace Sojourn.MySql;

// Cleaning up: what nobody else has locked at the moment, a batch at a time, so that neither waits for the other.
public sealed partial class MySqlSessionStore
{
    /// <inheritdoc/>
    public async ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var deleted = 0L;
        (int Seen, int Deleted) batch;
        do
        {
            batch = await _database.TransactAsync(
                connection => PruneABatchAsync(connection, Microseconds(now), cancellationToken), cancellationToken).ConfigureAwait(false);
            deleted += batch.Deleted;
        }
        while (batch.Seen == Batch);
        await PruneAsync(_sql.LockDueSubjects, _sql.DeleteSubjects, now, cancellationToken).ConfigureAwait(false);
        await PruneAsync(_sql.LockDueLeases, _sql.DeleteLeases, now, cancellationToken).ConfigureAwait(false);
        return deleted;
    }

    /// <summary>Of what comes due next, files anew what has been touched meanwhile, and deletes what has expired.</summary>
    private async Task<(int Seen, int Deleted)> PruneABatchAsync(MySqlConnection connection, long now, CancellationToken cancellationToken)
    {
        var due = await MySqlDatabase.QueryAsync(connection, _sql.LockDue, static row => (Key: row.GetString(0), Expires: row.GetInt64(1)),
            cancellationToken, ("now", now), ("limit", Batch)).ConfigureAwait(false);
        var expired = due.Where(row => row.Expires <= now).Select(static row => row.Key).ToList();
        var touched = due.Where(row => row.Expires > now).Select(static row => row.Key).ToList();
        if (expired.Count > 0)
        {
            await MySqlDatabase.ExecuteAsync(connection, _sql.DeleteKeys(expired.Count), cancellationToken, KeyParameters(expired)).ConfigureAwait(false);
        }

        if (touched.Count > 0)
        {
            await MySqlDatabase.ExecuteAsync(connection, _sql.FileAnew(touched.Count), cancellationToken, KeyParameters(touched)).ConfigureAwait(false);
        }

        return (due.Count, expired.Count);
    }

    private async ValueTask PruneAsync(string lockDue, Func<int, string> delete, DateTimeOffset now, CancellationToken cancellationToken)
    {
        int seen;
        do
        {
            seen = await _database.TransactAsync(async connection =>
            {
                var keys = await MySqlDatabase.QueryAsync(connection, lockDue, static row => row.GetValue(0),
                    cancellationToken, ("now", Microseconds(now)), ("limit", Batch)).ConfigureAwait(false);
                if (keys.Count > 0)
                {
                    await MySqlDatabase.ExecuteAsync(connection, delete(keys.Count), cancellationToken, KeyParameters(keys)).ConfigureAwait(false);
                }

                return keys.Count;
            }, cancellationToken).ConfigureAwait(false);
        }
        while (seen == Batch);
    }
}
