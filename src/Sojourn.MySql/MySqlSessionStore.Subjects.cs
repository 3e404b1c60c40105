using System.Text;
using MySqlConnector;

namespace Sojourn.MySql;

// Subjects' entries and leases: small tables beside the records.
public sealed partial class MySqlSessionStore
{
    private const int MaxOwnerLength = 100;

    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        var rows = await _database.QueryAsync(
            _sql.ReadSubject, static row => row.GetFieldValue<byte[]>(0), cancellationToken, ("subject", LabelsJson.Hash(subject))).ConfigureAwait(false);
        return rows.Count == 0 ? null : rows[0];
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReplaceSubjectAsync(
        string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        (string, object?)[] parameters = [("subject", LabelsJson.Hash(subject)), ("next", next), ("until", Microseconds(keepUntil))];
        if (current is { } entry)
        {
            return await _database.ExecuteAsync(_sql.ReplaceSubject, cancellationToken, [.. parameters, ("current", entry)]).ConfigureAwait(false) > 0;
        }

        try
        {
            await _database.ExecuteAsync(_sql.CreateSubject, cancellationToken, parameters).ConfigureAwait(false);
            return true;
        }
        catch (MySqlException e) when (e.ErrorCode == MySqlErrorCode.DuplicateKeyEntry)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        CheckKey(key);
        CheckOwner(owner);
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.FromMilliseconds(1));
        var held = await _database.ExecuteAndQueryAsync(_sql.Acquire, static row => row.GetInt64(0), cancellationToken,
            ("key", key), ("owner", Encoding.UTF8.GetBytes(owner)), ("duration", duration.Ticks / TimeSpan.TicksPerMicrosecond)).ConfigureAwait(false);
        return held[0] == 1;
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
    {
        CheckKey(key);
        CheckOwner(owner);
        await _database.ExecuteAsync(_sql.Release, cancellationToken, ("key", key), ("owner", Encoding.UTF8.GetBytes(owner))).ConfigureAwait(false);
    }

    private static void CheckOwner(string owner)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(owner.Length, MaxOwnerLength, nameof(owner));
    }
}
